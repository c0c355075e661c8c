/// A sample with one of each: `docs`,:doc
//:comment-delimiter comments, /* nested */ ones,:comment
/*:comment-delimiter blocks /* in:comment
blocks */ too. */:comment
import:keyword
import:keyword as:keyword

const:keyword LIMIT:variable-name i64:type 1_000:constant
type:keyword Order:type u64:type f32:type
type:keyword Side:type Buy:type Sell:type
type:keyword Shape:type Circle:type f32:type Rect:type f32:type f32:type

fn:keyword Order:type Order:type
fn:keyword area:function-name Shape:type f32:type match:keyword
Circle:type if:keyword 0:constant 3.14f32:constant 2:constant
Rect:type
0:constant


@fast:preprocessor
dag:keyword scaled:function-name f32:type f32:type 2e:constant 1:constant f32:type
let:keyword d:variable-name map:builtin if:keyword 0:constant else:keyword
@host:preprocessor let:keyword m:variable-name 1:constant
return:keyword


@mailbox:preprocessor 16:constant
actor:keyword Counter:type i64:type
state:keyword count:variable-name i64:type
on:keyword add:function-name i64:type
assert:keyword 0:constant "nothing \n {:string amount:>8:default } and {:string count + 1:default }":string
count:builtin

on:keyword get:function-name i64:type return:keyword count:builtin
every:keyword 10ms:constant self:constant add:function-name 1:constant


main:keyword string:type
let:keyword counter:variable-name spawn:keyword Counter:type 0xff:constant
var:keyword total:variable-name 0u8:constant
for:keyword in:keyword 0:constant 10:constant by:keyword 2:constant
add:function-name

while:keyword not:keyword 3:constant and:keyword true:constant 1:constant
let:keyword reply:variable-name get:function-name within:keyword 50ms:constant
print:builtin try:keyword else:keyword 0:constant for:keyword in:keyword 0:constant 3:constant if:keyword 1:constant LIMIT:constant
stop:keyword


test:keyword "areas":string assert:keyword near:builtin Rect:type 2:constant 3:constant 6:constant

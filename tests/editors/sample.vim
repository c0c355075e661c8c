/// A sample with one of each: `docs`,:Doc
// comments, /* nested */ ones,:Comment
/* blocks /* in:Comment
blocks */ too. */:Comment
import:Declaration
import:Declaration as:Declaration

const:Declaration LIMIT:Constant i64:Type =:Operator 1_000:Integer
type:Declaration Order:TypeName =:Operator u64:Type f32:Type
type:Declaration Side:TypeName =:Operator Buy:TypeName |:Operator Sell:TypeName
type:Declaration Shape:TypeName =:Operator Circle:TypeName f32:Type |:Operator Rect:TypeName f32:Type f32:Type

fn:Declaration +:Operator Order:TypeName Order:TypeName =:Operator
fn:Declaration area:Function Shape:TypeName ->:Operator f32:Type =:Operator match:Control
Circle:TypeName if:Control >:Operator 0:Integer =>:Operator 3.14f32:Float *:Operator **:Operator 2:Integer
Rect:TypeName =>:Operator *:Operator
=>:Operator 0:Integer


@fast:Attribute
dag:Declaration scaled:Function f32:Type f32:Type =:Operator 2e-1:Float ->:Operator f32:Type
let:Binding =:Operator *:Operator |>:Operator map:Builtin ->:Operator if:Control >:Operator 0:Integer else:Control -:Operator
@host:Attribute let:Binding =:Operator .:Dot mean:Member 1:Integer ..:Range
return:Control =:Operator -:Operator


@mailbox:Attribute =:Operator 16:Integer =:Operator
actor:Declaration Counter:TypeName i64:Type
state:Declaration i64:Type =:Operator
on:Declaration add:Function i64:Type
assert:Control !=:Operator 0:Integer "nothing:String \n:Escape {:HoleEnd amount:Hole :>8:Format }:HoleEnd and:String {:HoleEnd count:Hole +:Operator 1:Integer }:HoleEnd ":String
+=:Operator

on:Declaration get:Function ->:Operator i64:Type return:Control
every:Control 10ms:Duration self:Self !:Operator add:Message 1:Integer


main:Declaration string:Type
let:Binding =:Operator spawn:Control Counter:TypeName =:Operator 0xff:Integer
var:Binding =:Operator 0u8:Integer
for:Control in:OperatorWord 0:Integer ..:Range 10:Integer by:OperatorWord 2:Integer
!:Operator add:Message

while:Control not:OperatorWord >=:Operator 3:Integer and:OperatorWord true:Boolean +=:Operator 1:Integer
let:Binding =:Operator ?:Operator get:Message within:OperatorWord 50ms:Duration
print:Builtin try:Control else:Control 0:Integer for:Control in:OperatorWord 0:Integer ..:Range 3:Integer if:Control !=:Operator 1:Integer LIMIT:Constant
stop:Control


test:Declaration "areas":String assert:Control near:Builtin Rect:TypeName 2:Integer =:Operator 3:Integer 6:Integer

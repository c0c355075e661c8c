" Syntax of gact.
if exists('b:current_syntax')
  finish
endif

syn case match
syn sync minlines=100

" generated: control by ' ' from 'gactControl ' to ''
syn keyword gactControl assert break continue else for if loop match return spawn stop try while
" generated: declaration by ' ' from 'gactDeclaration ' to ''
syn keyword gactDeclaration actor const dag fn import
" generated: binding by ' ' from 'gactBinding ' to ''
syn keyword gactBinding let var
" generated: operator by ' ' from 'gactOperatorWord ' to ''
syn keyword gactOperatorWord and in not or with
" generated: types by ' ' from 'gactType ' to ''
syn keyword gactType bf16 bool duration f16 f32 f64 hlc i16 i32 i64 i8 string u16 u32 u64 u8
" generated: builtins by '\|' from '\<\%(' to '\)'
syn match gactBuiltin /\<\%(abs\|acos\|all\|any\|argmax\|argmin\|argsort\|asin\|atan\|atan2\|before\|cbrt\|ceil\|clamp\|clamp_at\|clz\|concat\|cos\|cosh\|count\|ctz\|cumsum\|dense\|div\|dot\|drop\|enumerate\|erf\|erfc\|exit\|exp\|exp2\|expm1\|exscan\|fill\|filter\|first\|flatten\|floor\|fma\|gamma\|gather\|gcd\|group_by\|histogram\|hypot\|iota\|is_nan\|last\|len\|lgamma\|log\|log10\|log1p\|log2\|map\|matmul\|max\|mean\|min\|mod\|near\|now\|outer\|pad\|partition\|popcount\|pow\|print\|product\|reduce\|reduce_by_key\|reshape\|reverse\|rotate\|round\|rsqrt\|same\|scan\|scatter\|segmented_reduce\|segmented_scan\|select\|settle\|shape\|sign\|sin\|sinh\|sort\|sort_by\|sqrt\|sum\|take\|tan\|tanh\|trace\|transpose\|trunc\|unique\|unzip\|where\|windows\|wrap_at\|zero_at\|zip\)\>\ze\s*\%((\||>\|$\)/
syn keyword gactBoolean true false
syn keyword gactSelf self

" Words that are keywords only where their declaration stands.
syn match gactDeclaration /^\s*\zs\%(main\)\ze\s*[({]/
syn match gactDeclaration /\<type\ze\s\+\h\w*\s*[=\[]/
syn match gactDeclaration /\<test\ze\s\+"/
syn match gactDeclaration /\<on\ze\s\+\h\w*\s*[({]/
syn match gactDeclaration /\<state\ze\s\+\h\w*\s*[:=]/
syn match gactDeclaration /\<as\ze\s\+\h\w*\s*$/
syn match gactControl /^\s*\zs\%(every\|after\)\ze\s\+[0-9(]/
syn match gactOperatorWord /\%([A-Za-z0-9_)\]}"]\s\+\)\@<=\%(after\|by\|within\)\ze\s\+[0-9A-Za-z_(]/

syn match gactFunction /\%(\<\%(fn\|dag\|on\)\s\+\)\@<=\h\w*/
syn match gactTypeName /\<[A-Z]\w*\>/
syn match gactConstant /\<[A-Z][A-Z0-9_]\+\>/
syn match gactAttribute /@\s*\h\w*/
syn match gactMember /\.\@<!\.\s*\h\w*/ contains=gactDot
syn match gactDot /\./ contained
syn match gactMessage /\%([!?]\s*\)\@<=\h\w*\ze\s*(/
syn match gactOperator /|>\|->\|=>\|[-+*\/%&|^<>=!~?]\+/
syn match gactRange /\.\.=\?/

syn match gactInteger /\<\d[0-9_]*\%([iu]\%(8\|16\|32\|64\)\|b\?f16\|f32\|f64\)\?\>/
syn match gactInteger /\<0x\x[0-9A-Fa-f_]*\%([iu]\%(8\|16\|32\|64\)\)\?\>/
syn match gactInteger /\<0b[01][01_]*\%([iu]\%(8\|16\|32\|64\)\)\?\>/
syn match gactFloat /\<\d[0-9_]*\.\d[0-9_]*\%([eE][-+]\?\d[0-9_]*\)\?\%(b\?f16\|f32\|f64\)\?\>/
syn match gactFloat /\<\d[0-9_]*[eE][-+]\?\d[0-9_]*\%(b\?f16\|f32\|f64\)\?\>/
syn match gactDuration /\<\d[0-9_]*\%(\.\d[0-9_]*\)\?\%(ns\|us\|ms\|s\|min\|h\)\>/

syn region gactString start=/"/ skip=/\\./ end=/"/ oneline keepend extend contains=gactEscape,gactBadEscape,gactHole
syn match gactBadEscape /\\./ contained
syn match gactEscape /\\[nrt0"\\{}]\|\\u{\x\{1,6}}/ contained
syn region gactHole matchgroup=gactHoleEnd start=/{/ end=/}/ contained oneline extend contains=TOP,gactFormat
syn match gactFormat /:[<>^]\?\d*\%(\.\d\+\)\?[xe]\?\ze}/ contained containedin=gactHole

syn keyword gactTodo TODO FIXME contained
syn match gactComment /\/\/.*$/ contains=gactTodo,@Spell
syn match gactDoc /\/\/\/.*$/ contains=@Spell
syn region gactComment start=/\/\*/ end=/\*\// contains=gactComment,gactTodo,@Spell

hi def link gactControl Keyword
hi def link gactDeclaration Structure
hi def link gactBinding StorageClass
hi def link gactOperatorWord Operator
hi def link gactOperator Operator
hi def link gactRange Operator
hi def link gactType Type
hi def link gactTypeName Type
hi def link gactBuiltin Function
hi def link gactFunction Function
hi def link gactMessage Function
hi def link gactConstant Constant
hi def link gactBoolean Boolean
hi def link gactSelf Special
hi def link gactAttribute PreProc
hi def link gactInteger Number
hi def link gactFloat Float
hi def link gactDuration Number
hi def link gactString String
hi def link gactEscape SpecialChar
hi def link gactBadEscape Error
hi def link gactHoleEnd Delimiter
hi def link gactFormat Special
hi def link gactComment Comment
hi def link gactDoc SpecialComment
hi def link gactTodo Todo

let b:current_syntax = 'gact'

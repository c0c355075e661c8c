" Indentation: two columns for each line that ends with an open bracket, as `gactc fmt` does.
if exists('b:did_indent')
  finish
endif
let b:did_indent = 1

setlocal indentexpr=GactIndent(v:lnum)
setlocal indentkeys=0{,0},0),0],!^F,o,O,e
setlocal nolisp autoindent
let b:undo_indent = 'setlocal indentexpr< indentkeys< lisp< autoindent<'

if exists('*GactIndent')
  finish
endif

" A line without its comment and its strings.
function! s:Code(lnum) abort
  let text = substitute(getline(a:lnum), '"\%([^"\\]\|\\.\)*"', '""', 'g')
  return substitute(text, '\s*//.*$', '', '')
endfunction

" Does the line begin in a block comment, or with one?
function! s:InComment(lnum) abort
  return getline(a:lnum) !~# '^\s*//' && synIDattr(synID(a:lnum, 1, 0), 'name') ==# 'gactComment'
endfunction

function! GactIndent(lnum) abort
  let before = prevnonblank(a:lnum - 1)
  while before > 0 && s:InComment(before)
    let before = prevnonblank(before - 1)
  endwhile
  if s:InComment(a:lnum)
    return -1
  elseif before == 0
    return 0
  endif
  let code = s:Code(before)
  let own = getline(a:lnum)
  let indent = indent(before)
  " The line before opens more than it closes.
  let opened = len(substitute(code, '[^{([]', '', 'g')) - len(substitute(code, '[^])}]', '', 'g'))
  if code =~# '^\s*[])}]'
    let opened += 1
  endif
  if opened > 0 && code =~# '[{([]\s*$'
    let indent += shiftwidth()
  elseif code =~# '\s=$'
    let indent += shiftwidth()
  elseif opened < 0 && code =~# '[])}]\s*$'
    " Back to the line with the bracket that was closed.
    let save = getcurpos()
    call cursor(before, strlen(code))
    let open = searchpair('[{([]', '', '[])}]', 'bnW')
    call setpos('.', save)
    let indent = open > 0 ? indent(open) : indent
  endif
  if own =~# '^\s*[])}]'
    let indent -= shiftwidth()
  endif
  return indent < 0 ? 0 : indent
endfunction

" Prints every line of the file at hand as pieces with the group that highlights them, then how `=` indents it.
set nomore runtimepath^=editors/vim
filetype plugin indent on
syntax on
execute 'edit' $SAMPLE
setfiletype gact
let out = []
for line in range(1, line('$'))
  let text = getline(line)
  let parts = []
  let from = 0
  let group = v:null
  for col in range(1, len(text) + 1)
    let name = col > len(text) ? '' : synIDattr(synID(line, col, 1), 'name')
    if col > len(text) || (group isnot v:null && name !=# group)
      let piece = trim(strpart(text, from, col - 1 - from))
      if group isnot v:null && group !=# '' && piece !=# ''
        call add(parts, piece . ':' . substitute(group, '^gact', '', ''))
      endif
      let from = col - 1
    endif
    let group = name
  endfor
  call add(out, join(parts, ' '))
endfor
let before = getline(1, '$')
silent normal! gg=G
for line in range(1, line('$'))
  if getline(line) !=# before[line - 1]
    call add(out, 'indented: ' . line . ': ' . getline(line))
  endif
endfor
call writefile(out, $OUT)
qall!

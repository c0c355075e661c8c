" :make checks the file.
if exists('current_compiler')
  finish
endif
let current_compiler = 'gact'

CompilerSet makeprg=gactc\ --check\ --message-format=short\ --color=never\ %:S
CompilerSet errorformat=%f:%l:%c:\ %trror[%m,%f:%l:%c:\ %tarning[%m,%f:%l:%c:\ %trror:\ %m,%-G%.%#

" Editing gact: comments, indentation by two, matching brackets, `gq` with the formatter.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1

setlocal comments=s1:/*,mb:*,ex:*/,:///,://
setlocal commentstring=//\ %s
setlocal formatoptions-=t formatoptions+=croql
setlocal shiftwidth=2 softtabstop=2 expandtab
setlocal suffixesadd=.gact
setlocal include=^\\s*import
setlocal define=^\\s*\\(fn\\\|dag\\\|actor\\\|type\\\|const\\\|on\\)
if executable('gactc')
  setlocal formatprg=gactc\ fmt\ -
endif
compiler gact

let b:undo_ftplugin = 'setlocal comments< commentstring< formatoptions< shiftwidth< softtabstop< expandtab<'
      \ . ' suffixesadd< include< define< formatprg< makeprg< errorformat<'

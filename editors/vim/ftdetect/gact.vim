autocmd BufRead,BufNewFile *.gact setfiletype gact
autocmd BufRead * if getline(1) =~# '^#!.*\<gactrun\>' | setfiletype gact | endif

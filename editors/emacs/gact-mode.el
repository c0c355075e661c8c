;;; gact-mode.el --- Major mode for the gact language -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "27.1"))
;; Keywords: languages

;;; Commentary:

;; Highlighting, indentation, formatting and a checker for gact.  With Emacs 29, or eglot from its
;; archive, `M-x eglot' starts the language server, `gactc lsp'.

;;; Code:

(require 'compile)
(require 'subr-x)

(defgroup gact nil
  "The gact language."
  :group 'languages)

(defcustom gact-compiler "gactc"
  "The compiler, which also formats and is the language server."
  :type 'string
  :safe #'stringp)

(defcustom gact-indent 2
  "Columns that a block is indented."
  :type 'integer
  :safe #'integerp)

;; generated: control by '" "' from '("' to '"))'
(defconst gact--control '("assert" "break" "continue" "else" "for" "if" "loop" "match" "return" "spawn" "stop" "try" "while"))
;; generated: declaration by '" "' from '("' to '"))'
(defconst gact--declaration '("actor" "const" "dag" "fn" "import"))
;; generated: binding by '" "' from '("' to '"))'
(defconst gact--binding '("let" "var"))
;; generated: operator by '" "' from '("' to '"))'
(defconst gact--operator '("and" "in" "not" "or" "with"))
;; generated: types by '" "' from '("' to '"))'
(defconst gact--types '("bf16" "bool" "duration" "f16" "f32" "f64" "hlc" "i16" "i32" "i64" "i8" "string" "u16" "u32" "u64" "u8"))
;; generated: builtins by '" "' from '("' to '"))'
(defconst gact--builtins '("abs" "acos" "all" "any" "argmax" "argmin" "argsort" "asin" "atan" "atan2" "before" "cbrt" "ceil" "clamp" "clamp_at" "clz" "concat" "cos" "cosh" "count" "ctz" "cumsum" "dense" "div" "dot" "drop" "enumerate" "erf" "erfc" "exit" "exp" "exp2" "expm1" "exscan" "fill" "filter" "first" "flatten" "floor" "fma" "gamma" "gather" "gcd" "group_by" "histogram" "hypot" "iota" "is_nan" "last" "len" "lgamma" "log" "log10" "log1p" "log2" "map" "matmul" "max" "mean" "min" "mod" "near" "now" "outer" "pad" "partition" "popcount" "pow" "print" "product" "reduce" "reduce_by_key" "reshape" "reverse" "rotate" "round" "rsqrt" "same" "scan" "scatter" "segmented_reduce" "segmented_scan" "select" "settle" "shape" "sign" "sin" "sinh" "sort" "sort_by" "sqrt" "sum" "take" "tan" "tanh" "trace" "transpose" "trunc" "unique" "unzip" "where" "windows" "wrap_at" "zero_at" "zip"))

(defvar gact-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 124b" table)
    (modify-syntax-entry ?* ". 23n" table)
    (modify-syntax-entry ?\n "> b" table)
    (modify-syntax-entry ?\" "\"" table)
    (modify-syntax-entry ?\\ "\\" table)
    (modify-syntax-entry ?_ "_" table)
    (dolist (char '(?+ ?- ?% ?& ?| ?^ ?< ?> ?= ?! ?~ ?? ?@))
      (modify-syntax-entry char "." table))
    table))

(defun gact--words (words)
  "A pattern of WORDS that do not follow a dot."
  (concat "\\(?:^\\|[^._[:alnum:]]\\|\\.\\.\\)\\(" (regexp-opt words) "\\)\\_>"))

(defun gact--match-hole (limit)
  "Find an expression in a string up to LIMIT, for highlighting."
  (let (found)
    (while (and (not found) (re-search-forward "{\\([^{}\"\n]*\\)}" limit t))
      (let ((state (save-excursion (save-match-data (syntax-ppss (match-beginning 0))))))
        (setq found (and (nth 3 state)
                         (not (eq (char-before (match-beginning 0)) ?\\))))))
    found))

(defconst gact-font-lock-keywords
  `((gact--match-hole 1 'default t)
    ("^\\s-*\\(main\\)\\s-*[({]" 1 font-lock-keyword-face)
    ("\\_<\\(type\\)\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)\\s-*[[=]"
     (1 font-lock-keyword-face) (2 font-lock-type-face))
    ("\\_<\\(test\\)\\s-+\"" 1 font-lock-keyword-face)
    ("\\_<\\(on\\)\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)\\s-*[({]"
     (1 font-lock-keyword-face) (2 font-lock-function-name-face))
    ("\\_<\\(state\\)\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)\\s-*[:=]"
     (1 font-lock-keyword-face) (2 font-lock-variable-name-face))
    ("\\_<\\(as\\)\\s-+\\(?:\\sw\\|\\s_\\)+\\s-*$" 1 font-lock-keyword-face)
    ("^\\s-*\\(every\\|after\\)\\s-+[0-9(]" 1 font-lock-keyword-face)
    ("[[:alnum:]_)}\"]\\s-+\\(after\\|by\\|within\\)\\s-+[[:alnum:]_(]" 1 font-lock-keyword-face)
    ("\\_<\\(?:fn\\|dag\\)\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)" 1 font-lock-function-name-face)
    ("\\_<\\(?:let\\|var\\|const\\)\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)" 1 font-lock-variable-name-face)
    ("[!?]\\s-*\\([[:alpha:]_]\\(?:\\sw\\|\\s_\\)*\\)\\s-*(" 1 font-lock-function-name-face)
    ("@\\s-*\\(?:\\sw\\|\\s_\\)+" . font-lock-preprocessor-face)
    (,(gact--words (append gact--control gact--declaration gact--binding gact--operator))
     1 font-lock-keyword-face)
    (,(gact--words '("true" "false" "self")) 1 font-lock-constant-face)
    (,(gact--words gact--types) 1 font-lock-type-face)
    (,(gact--words gact--builtins) 1 font-lock-builtin-face)
    ("\\_<[A-Z][A-Z0-9_]+\\_>" . font-lock-constant-face)
    ("\\_<[A-Z]\\(?:\\sw\\|\\s_\\)*\\_>" . font-lock-type-face)
    ("\\_<[0-9]\\(?:\\sw\\|\\s_\\)*\\(?:\\.[0-9]\\(?:\\sw\\|\\s_\\)*\\)?" . font-lock-constant-face))
  "What is highlighted in gact, beside comments and strings.")

(defun gact--doc-face (state)
  "The face of a comment or string by STATE: doc comments have their own."
  (cond ((nth 3 state) font-lock-string-face)
        ((save-excursion (goto-char (nth 8 state)) (looking-at "///")) font-lock-doc-face)
        (t font-lock-comment-face)))

(defun gact-indent-line ()
  "Indent the line as `gactc fmt' does, as far as brackets tell."
  (interactive)
  (let* ((state (save-excursion (syntax-ppss (line-beginning-position))))
         (open (nth 1 state))
         (closes (save-excursion (back-to-indentation) (looking-at "[])}]")))
         (column
          (cond
           ((nth 4 state) nil)
           ((not open) 0)
           (t (save-excursion
                (goto-char open)
                (let ((hangs (not (save-excursion (forward-char) (looking-at "\\s-*\\(?://.*\\)?$"))))
                      (brace (eq (char-after) ?{)))
                  (if (and hangs (not brace))
                      (+ (current-column) (if closes 0 1))
                    (+ (current-indentation) (if closes 0 gact-indent)))))))))
    (when column
      (if (<= (current-column) (current-indentation))
          (indent-line-to column)
        (save-excursion (indent-line-to column))))))

(defun gact-format-buffer ()
  "Give the buffer the one style of gact programs."
  (interactive)
  (let ((out (generate-new-buffer " *gact fmt*")))
    (unwind-protect
        (if (zerop (call-process-region nil nil gact-compiler nil out nil "fmt" "-"))
            (replace-buffer-contents out)
          (message "%s" (with-current-buffer out (string-trim (buffer-string)))))
      (kill-buffer out))))

(defvar gact-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-f") #'gact-format-buffer)
    (define-key map (kbd "C-c C-c") #'compile)
    map))

;;;###autoload
(define-derived-mode gact-mode prog-mode "gact"
  "Major mode for gact programs."
  (setq-local comment-start "// ")
  (setq-local comment-start-skip "\\(?://+\\|/\\*+\\)\\s-*")
  (setq-local comment-end "")
  (setq-local indent-line-function #'gact-indent-line)
  (setq-local indent-tabs-mode nil)
  (setq-local electric-indent-chars (append "{}()[]" electric-indent-chars))
  (setq-local font-lock-defaults
              '(gact-font-lock-keywords nil nil nil
                (font-lock-syntactic-face-function . gact--doc-face)))
  (setq-local imenu-generic-expression
              '((nil "^\\s-*\\(?:fn\\|dag\\|actor\\|type\\|const\\|on\\)\\s-+\\(\\(?:\\sw\\|\\s_\\)+\\)" 1)))
  (when buffer-file-name
    (setq-local compile-command
                (concat gact-compiler " --check --message-format=short "
                        (shell-quote-argument (file-name-nondirectory buffer-file-name))))))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.gact\\'" . gact-mode))
(add-to-list 'interpreter-mode-alist '("gactrun" . gact-mode))

(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs `(gact-mode . (,gact-compiler "lsp"))))

(provide 'gact-mode)
;;; gact-mode.el ends here

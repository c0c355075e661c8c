#!/bin/sh
# Every public declaration of the library is described and tested: its group of lines begins with a
# doc comment, and the name of a function or constant stands in a test block of its file or of
# tests/lang.
set -u
status=0
for file in stdlib/*.gact; do
    awk -v file="$file" '
        FNR == 1 { in_test = 0; described = 0 }
        /^test "/ { in_test = 1 }
        in_test { body = body "\n" $0 }
        /^}/ || /^test .*}$/ { in_test = 0; next }
        FILENAME != file || in_test { next }
        /^$/ { described = 0 }
        /^\/\/\// { described = 1 }
        /^(fn|type|const) / {
            name = $2
            sub(/[^A-Za-z0-9_].*/, "", name)
            if (name ~ /^_/)
                next
            if (!described) {
                print file ":" FNR ": " $2 " has no description"
                bad = 1
            }
            if (name != "" && $1 != "type")
                names[name] = FNR
        }
        END {
            for (name in names)
                if (body !~ "(^|[^A-Za-z0-9_])" name "([^A-Za-z0-9_]|$)") {
                    print file ":" names[name] ": " name " stands in no test"
                    bad = 1
                }
            exit bad
        }' "$file" tests/lang/*.gact || status=1
done
exit $status

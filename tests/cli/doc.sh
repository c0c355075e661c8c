#!/bin/sh
# gactc doc: doc.sh GACTC. Pages of the library: every link leads to a place that is there; of a module:
# what stands on it.
set -u
gactc=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
    echo "$1"
    failures=$((failures + 1))
}

"$gactc" doc stdlib/*.gact -o "$work/library" || fail "the library has no pages"
(cd "$work/library" && grep -o ' id="[^"]*"' ./*.html | sed 's|^\./||; s|: id="|#|; s|"$||') | sort >"$work/places"
(cd "$work/library" && grep -o 'href="[^"]*"' ./*.html |
    sed 's|^\./||; s|^\([a-z_0-9]*\.html\):href="#|\1#|; s|^[a-z_0-9]*\.html:href="||; s|"$||') |
    sort -u >"$work/links"
while read -r link; do
    case $link in
    *#*) grep -qxF "$link" "$work/places" || fail "$link leads nowhere" ;;
    *) [ -f "$work/library/$link" ] || fail "there is no $link" ;;
    esac
done <"$work/links"
[ "$(wc -l <"$work/links")" -gt 300 ] || fail "there are few links"
grep -o '"page":"[^"]*"' "$work/library/search.js" | sed 's|"page":"||; s|"$||' | sort >"$work/found"
[ -z "$(comm -23 "$work/found" "$work/places")" ] || fail "the search leads nowhere: $(comm -23 "$work/found" "$work/places")"
# The places on pages beside the search's own two are what can be found.
[ "$(grep -cvE '#(search|found)$' "$work/places")" = "$(wc -l <"$work/found")" ] || fail "the search lacks something"

cat >"$work/shapes.gact" <<'END'
// Shapes & sizes.
import stats

/// A <shape>, see `area`.
/// - `Circle` of a radius
/// - `Rect`
type Shape = Circle(f32) | Rect(f32, f32)
/// How large it is:
///
/// ```
/// area(Rect(2, 3)) == 6 and 1 < 2
/// ```
fn area(s: Shape) -> f32 = match s { Circle(r) => r * r, Rect(w, h) => w * h }
fn _hidden(s: Shape) = stats.mean([1.0])
actor Painter(first: Shape) {
  state last: Shape = first
  /// Paints.
  on paint(s: Shape) { last = s }
}
test "none" { assert area(Rect(2, 3)) == 6 }
END
"$gactc" doc "$work/shapes.gact" -o "$work/own" || fail "the module has no page"
page=$work/own/shapes.html
for text in '<p>Shapes &amp; sizes.' 'A &lt;shape&gt;, see <a href="shapes.html#area"><code>area</code></a>' \
    '<ul><li>' '<section id="Painter.paint">' 'fn area(s: <a href="shapes.html#Shape">Shape</a>) -&gt; f32</code>' \
    'area(Rect(2, 3)) == 6 and 1 &lt; 2' 'on paint(s: <a href="shapes.html#Shape">Shape</a>)'; do
    grep -qF -- "$text" "$page" || fail "the page lacks $text"
done
for text in _hidden none 'last = s'; do
    ! grep -qF -- "$text" "$page" || fail "the page has $text"
done
echo 'fn f(x = ' >"$work/bad.gact"
"$gactc" doc "$work/bad.gact" -o "$work/bad" 2>/dev/null
[ $? = 1 ] && [ ! -e "$work/bad" ] || fail "a file with a mistake has pages"
"$gactc" doc "$work/none.gact" 2>/dev/null
[ $? = 2 ] || fail "a file that is not there has pages"
[ $failures = 0 ]

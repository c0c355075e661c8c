# shellcheck shell=sh
# The files of scripts/gpu-test share their variables.
# shellcheck disable=SC2034,SC2154
# Runs a kit, see kit.sh, on a device, and writes what was found to results.md in it.

# The longest that a program may take, and those that NVIDIA's sanitizers look at.
most_seconds=300
watched='arrays/argmax arrays/filter arrays/hist256 arrays/matmul arrays/scan_f32 arrays/segred
arrays/softmax arrays/sort run/fault_in_lists run/scans run/sorts_and_products'

has() { case ,$parts, in *,"$1",*) return 0 ;; *) return 1 ;; esac; }
say() { printf '%s\n' "$*" | tee -a "$kit/results.md"; }

# The programs, with those of the libraries they need that this machine lacks.
find_kit() {
    [ -f "$kit/list" ] || die "$kit is no kit; scripts/gpu-test pack makes one"
    gactrun=${GACTRUN:-$kit/bin/gactrun}
    mkdir -p "$work/lib"
    for name in $(ldd "$kit"/bin/* | awk '/not found/ { print $1 }' | sort -u); do
        [ ! -f "$kit/lib/$name" ] || ln -sf "$kit/lib/$name" "$work/lib/$name"
    done
    if [ -n "$(ls "$work/lib")" ]; then
        LD_LIBRARY_PATH=$work/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
        export LD_LIBRARY_PATH
    fi
    images=$work/images
    cp -r "$kit/images" "$images"
    gunzip -r "$images"
    XDG_CACHE_HOME=$work/cache
    export XDG_CACHE_HOME
    begun=$(date +%s)
    case $device in
    emu*) mib=16 scale=${scale:-1024} ;;
    *) mib=1024 scale=${scale:-1} ;;
    esac
}

late() { [ -n "$limit" ] && [ $(($(date +%s) - begun)) -ge "$limit" ]; }

# ---- the head ----

# The device's bandwidth and free memory, by which the rest is judged.
find_device() {
    "$kit/bin/device_copy" "$device" "$mib" >"$work/copy" || {
        "$gactrun" --doctor >&2
        die "device $device cannot be used"
    }
    read -r copied free driver gpu <"$work/copy"
}

head_of_results() {
    : >"$kit/results.md"
    say "# Tests and times on $gpu"
    say ""
    cuda=
    [ "$driver" = 0 ] || cuda=", driver for CUDA $((driver / 1000)).$((driver % 1000 / 10))"
    say "$(date -u +%Y-%m-%d), $gpu$cuda, $free MiB free;"
    say "copies within its memory reach $copied GB/s, read and written. Command: \`$command\`."
    say ""
    if has doctor; then
        say '```'
        say "$("$gactrun" --doctor 2>&1)"
        say '```'
        say ""
    fi
}

# ---- tests ----

# What differs from what the host gave, on one line; nothing where nothing does.
difference() {
    expected=$kit/expect/$1
    if [ "$status" = 124 ]; then
        echo "did not end in $most_seconds s"
    elif [ "$status" != "$(cat "$expected.status")" ]; then
        echo "exit status $status, not $(cat "$expected.status"): $(head -n 1 "$work/err")"
    elif ! cmp -s "$expected.out" "$work/out"; then
        echo "output differs: $(diff "$expected.out" "$work/out" | sed -n '2p;/^>/{p;q;}' | tr '\n' ' ')"
    elif ! cmp -s "$expected.err" "$work/err"; then
        echo "diagnostics differ: $(diff "$expected.err" "$work/err" | sed -n 2p)"
    fi
}

# launches: how many functions the run has launched on the device. Not asked of the metrics, as measuring every launch
# keeps graphs from being made.
launches() {
    sed 's/.*"launches": \([0-9]*\).*/\1/' "$work/times" 2>/dev/null || echo 0
}

run_tests() {
    passed=0 failed=0 skipped=0 used=0
    before="timeout $most_seconds"
    open_files
    : >"$work/failures"
    while IFS= read -r line; do
        split_line "$line"
        if late; then
            skipped=$((skipped + 1))
            continue
        fi
        run_line "$device" "$name" "$image" "$options" "$arguments"
        why=$(difference "$name")
        if [ -z "$why" ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            printf -- '- %s: %s\n' "$name" "$why" >>"$work/failures"
        fi
        [ "$(launches)" = 0 ] || used=$((used + 1))
    done <"$kit/list"
    before=
    say "## Tests"
    say ""
    say "Every program against what it gives on the host: $passed passed, $failed failed, $skipped skipped."
    say "$used of them launched something on the device."
    say ""
    [ "$failed" = 0 ] || say "$(cat "$work/failures")
"
    if [ "$used" = 0 ] && [ "$skipped" = 0 ]; then
        say "Nothing ran on the device."
        say ""
        failed=1
    fi
}

# split_line LINE: name, image, options and arguments of a line of the list; some may be empty.
split_line() {
    name=${1%%"$tab"*} rest=${1#*"$tab"}
    image=${rest%%"$tab"*} rest=${rest#*"$tab"}
    options=${rest%%"$tab"*} arguments=${rest#*"$tab"}
}

# ---- NVIDIA's sanitizers ----

# sanitize TOOL NAME: is there something that the tool found?
sanitize() {
    line=$(grep "^$2$tab" "$kit/list") || return 0
    split_line "$line"
    before="timeout $most_seconds compute-sanitizer --tool $1 --error-exitcode 86 --log-file $work/sanitizer"
    run_line "$device" "$name" "$image" "$options" "$arguments"
    before=
    runs=$((runs + 1))
    [ "$status" != "$(cat "$kit/expect/$name.status")" ] || return 0
    found=$((found + 1))
    say "- $1 $name: exit status $status: $(sed -n '/COMPUTE-SANITIZER/d;/^=* [A-Z]/{p;q;}' "$work/sanitizer" 2>/dev/null)"
}

run_sanitizers() {
    say "## compute-sanitizer"
    say ""
    case $device in cuda*) ;; *) say "Not run: the device is no GPU."; say ""; return ;; esac
    PATH=$PATH:/usr/local/cuda/bin
    command -v compute-sanitizer >/dev/null || { say "Not run: not installed."; say ""; return; }
    runs=0 found=0
    open_files
    for tool in memcheck racecheck synccheck; do
        for name in $watched; do
            late || sanitize $tool "$name"
        done
    done
    [ "$found" = 0 ] || say ""
    say "memcheck, racecheck and synccheck: $runs runs, $found with findings."
    say ""
    [ "$found" = 0 ] || failed=$((${failed:-0} + found))
}

# ---- starting ----

# start_row LABEL DEVICE IMAGE: the first run with an empty cache, and the best of five more.
start_row() {
    rm -rf "$work/cache"
    for turn in first 1 2 3 4 5; do
        begin=$(now)
        "$gactrun" --device="$2" "$images/$3.gactx" run --in 'spot=[42, 30]' --in 'strike=[40, 31]' \
            --in 'years=[0.5, 1]' >/dev/null || return
        took=$(($(now) - begin))
        if [ $turn = first ]; then
            first=$took again=
        elif [ -z "$again" ] || [ $took -lt "$again" ]; then
            again=$took
        fi
    done
    say "| $1 | $(seconds "$first") | $(seconds "$again") |"
}

# tiny ROW DAG OPTION…: microseconds of a run, and of a launch on the device.
tiny() {
    label=$1 dag=$2
    shift 2
    "$gactrun" --device="$device" --profile=200 --profile-json="$work/tiny.json" "$images/start/tiny.gactx" \
        "$dag" --in 'x=[1, 2, 3]' "$@" >/dev/null 2>&1 || return
    counts <"$work/tiny.json" | {
        read -r least mean running _ _ launched
        say "| $label | $(awk -v l="$least" -v m="$mean" -v r="$running" -v n="$launched" 'BEGIN {
            printf "%.1f | %.1f | %.1f | %s", l * 1e3, m * 1e3, r * 1e3, n
            printf " | %s", n ? sprintf("%.2f", l * 1e3 / n) : "–" }') |"
    }
}

run_start() {
    say "## Starting"
    say ""
    say "Seconds from the start of gactrun to its end, for two options by Black and Scholes:"
    say ""
    say "| | nothing kept yet | again |"
    say "|---|---|---|"
    start_row "image without code for GPUs" "$device" start/text
    start_row "image with code for sm_90" "$device" start/code
    start_row "on the host" host start/text
    say ""
    say "Dags that do nearly nothing, microseconds a run:"
    say ""
    say "| | best | mean | in kernels | launches | best by launches |"
    say "|---|---|---|---|---|---|"
    tiny "one kernel of 3 elements" once
    tiny "a loop of 100 steps" steps --in count=100
    say ""
}

# ---- benchmarks ----

# counts: from a profile in JSON, for each run: the least and the mean ms, ms of work within the device, of
# copies to and from it, of kernels on the host, and launches.
counts() {
    awk '
        function value(key) { return match($0, "\"" key "\": [-0-9.]+") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) + 0 : 0 }
        /^\{"run"/ { rounds = value("rounds"); least = value("min_ns"); mean = value("mean_ns") }
        /"place": "host"/ { host += value("ns") }
        /^"metrics"/ {
            within = value("kernel_ns") + value("fill_ns") + value("ns_within")
            copies = value("ns_in") + value("ns_out")
            launches = value("launches")
        }
        END {
            if (!rounds) rounds = 1
            printf "%.6f %.6f %.6f %.6f %.6f %g\n", least / 1e6, mean / 1e6, within / rounds / 1e6,
                copies / rounds / 1e6, host / rounds / 1e6, launches / rounds
        }'
}

# profile DEVICE ROUNDS NAME FOLDER: runs the workload, whose outputs go to the folder.
profile() {
    mkdir -p "$4"
    # Words each.
    # shellcheck disable=SC2046,SC2086
    timeout $most_seconds "$gactrun" --device="$1" --profile="$2" --profile-json="$work/profile.json" \
        "$images/arrays/$3.gactx" run $given $(taken "$4") >"$work/out" 2>"$work/err"
}

# bench_row NAME: a row of the table.
bench_row() {
    workload "$1"
    rm -rf "$work/outputs" "$work/wanted"
    if ! make_inputs "$work/inputs" 2>"$work/err" || ! profile "$device" "$rounds" "$1" "$work/outputs"; then
        say "| $1 | failed: $(grep -m 1 -v '^==' "$work/err") |"
        failed=$((${failed:-0} + 1))
        return
    fi
    counts <"$work/profile.json" >"$work/there"
    profile host 1 "$1" "$work/wanted" || say "| $1 | fails on the host |"
    counts <"$work/profile.json" >"$work/here"
    same=yes
    diff -r "$work/outputs" "$work/wanted" >/dev/null || { same='**no**' failed=$((${failed:-0} + 1)); }
    say "| $1 | $(paste "$work/there" "$work/here" | awk -v bytes=$((read + written)) -v flops="$flops" -v peak="$copied" '{
        rate = $3 > 0 ? bytes / $3 / 1e6 : 0
        printf "%.3f | %.3f | %.3f | %.3f | %g | ", $3, $1, $4, $5, $6
        if ($6 == 0) printf "– | – | – | "
        else {
            if (bytes) printf "%.1f | %.2f | ", rate, rate / peak; else printf "– | – | "
            if (flops) printf "%.1f | ", flops / $3 / 1e6; else printf "– | "
        }
        printf "%.3f", $7 }') | $same |"
    [ -z "$peers" ] || awk -v w="$1" '$3 > 0 { printf "{\"fw\": \"gact\", \"w\": \"%s\", \"ms\": %s, \"first\": 0, \"err\": 0}\n", w, $3 }' \
        "$work/there" >>"$kit/gact.jsonl"
}

run_bench() {
    sizes "$scale"
    mkdir -p "$work/inputs"
    say "## Array workloads"
    say ""
    say "Sizes divided by $scale; means of $rounds runs. \`device\`: ms a run in kernels, fills and copies within the"
    say "device. \`run\`: the best run as a whole, with the \`copies\` of inputs and outputs and what runs on the"
    say "\`host\`. GB/s: the least bytes that must be read and written by the device's time, and as a part of the"
    say "$copied GB/s of a copy. \`all host\`: the run on the host's threads. The results must be the same bits."
    say ""
    say "| workload | device | run | copies | host | launches | GB/s | of copy | GFLOP/s | all host | same |"
    say "|---|---|---|---|---|---|---|---|---|---|---|"
    rm -f "$kit/gact.jsonl"
    for image in "$images"/arrays/*.gactx; do
        name=$(basename "$image" .gactx)
        [ -f "$image" ] || continue
        if late; then say "| $name | not run: too late |"; else bench_row "$name"; fi
    done
    say ""
}

# ---- peers ----

# The peers' script and its report, with this run's times as one of the peers.
run_peers() {
    [ -n "$peers" ] || return 0
    [ -f "$kit/gact.jsonl" ] || : >"$kit/gact.jsonl"
    say "## Peers"
    say ""
    say '```'
    python3 "$peers" --out "$kit/peers" --cmd "gact=cat $kit/gact.jsonl" 2>&1 | tee -a "$kit/results.md"
    say '```'
}

run() {
    find_kit
    find_device
    head_of_results
    ! has tests || run_tests
    ! has sanitizers || run_sanitizers
    ! has start || run_start
    ! has bench || run_bench
    ! has peers || run_peers
    [ "${failed:-0}" = 0 ] || die "failures: see $kit/results.md"
}

# shellcheck shell=sh
# The files of scripts/gpu-test share their variables.
# shellcheck disable=SC2034,SC2154
# What packing and running a kit share; read by scripts/gpu-test. A kit is a folder with
#   bin/           gactrun, device_copy, and libgact
#   lib/           the shared libraries that they need
#   images/        program images by the names of the list, compressed: code for GPUs shrinks to a fifth
#   list           a line for each run: NAME, IMAGE, OPTIONS and ARGUMENTS of gactrun, with tabs between
#   expect/        for each run on the host NAME.out, NAME.err and NAME.status
#   files/         where programs run, with the examples' data
#   workloads.list the array workloads, see there
# A name of the list is FOLDER/NAME; runs of one image differ in `-2`, `-3` behind it. The lines of
# arrays/ have nothing else: what they compute is in workloads.list.

# The programs' output is compared, so that nothing of the user's shall change it.
unset GACT_DEVICE GACT_THREADS
NO_COLOR=1 LC_ALL=C
export NO_COLOR LC_ALL
tab=$(printf '\t')
case $(uname -s) in Linux) ;; *) die "this needs Linux" ;; esac

# sizes SCALE: the sizes of the array workloads; 1 is the full size, 1024 that of tests.
sizes() {
    root=1
    while [ $((root * root)) -lt "$1" ]; do root=$((root * 2)); done
    n=$((67108864 / $1)) m=$((16777216 / $1)) o=$((10000000 / $1)) p=$((1048576 / $1)) r=$((8192 / $1))
    h=$((8192 / root)) g=$((4096 / root)) b=$((8192 / root)) s=$((2048 / root))
    : "$n $m $o $p $r $h $g $b $s"
}

# workload NAME: its line of the list, expanded, in read, written, flops, outputs and inputs.
workload() {
    line=$(grep "^$1 " "$kit/workloads.list") || die "no array workload $1"
    eval "line=\"$line\""
    # The words of the line.
    # shellcheck disable=SC2086
    set -- $line
    read=$2 written=$3 flops=$4 outputs=$5
    shift 5
    inputs=$*
}

# make_inputs FOLDER: makes the inputs of the workload in the folder, those that are not there; sets
# given to gactrun's options for them.
make_inputs() {
    given=
    for input in $inputs; do
        case $input in
        *,*)
            value=${input#*=}
            file=$1/$(echo "$value" | tr ',=' '_-').npy
            # Words each.
            # shellcheck disable=SC2046
            [ -f "$file" ] || "$gactrun" --device=host "$images/inputs.gactx" "${value%%,*}" \
                $(echo "${value#*,}" | tr ',' '\n' | sed 's/^/--in=/') --out="y=$file" || return 1
            given="$given --in=${input%%=*}=$file"
            ;;
        *) given="$given --in=$input" ;;
        esac
    done
}

# taken FOLDER: gactrun's options that write the outputs of the workload there.
taken() {
    for output in $(echo "$outputs" | tr ',' ' '); do echo "--out=$output=$1/$output.npy"; done
}

# run_array DEVICE NAME: the workload at the size of tests; prints checksums of its outputs.
run_array() {
    sizes 1024
    workload "$2"
    mkdir -p "$work/inputs" "$work/outputs"
    make_inputs "$work/inputs" || return
    # Words each.
    # shellcheck disable=SC2046,SC2086
    $before "$gactrun" --device="$1" --times="$work/times" "$images/arrays/$2.gactx" run \
        $given $(taken "$work/outputs") || return
    (cd "$work/outputs" && cksum ./*) && rm -r "$work/outputs"
}

# run_program DEVICE NAME IMAGE OPTIONS ARGUMENTS: any other run of the list; then checksums of the
# pictures among the arguments.
run_program() {
    # What the arguments of the examples may mention.
    pictures=pictures bytes=data/bytes
    : "$pictures $bytes"
    cd "$work/files" || return
    eval "$before \"\$gactrun\" --device=\"\$1\" --times=\"\$work/times\" $4 \
        \"\$images/\$3.gactx\" $5" || return
    # The arguments as they are written.
    # shellcheck disable=SC2016
    shown=$(echo "$5" | grep -o '"$pictures/[^"]*"') || return 0
    eval "cksum $(echo "$shown" | tr '\n' ' ')"
}

# run_line DEVICE NAME IMAGE OPTIONS ARGUMENTS: a run of the list, behind the command in `before`, with
# its output in $work/out and $work/err, its exit status in `status`, how often the device was called in $work/times.
# The remark of a sanitizer on stacks that programs switch is no output.
run_line() {
    rm -f "$work/times"
    case $2 in
    arrays/*) (run_array "$1" "${2#*/}") ;;
    *) (run_program "$@") ;;
    esac >"$work/out" 2>"$work/log" </dev/null && status=0 || status=$?
    grep -v '^==[0-9]*==WARNING: ASan' "$work/log" >"$work/err" || true
}

# open_files: the folder where programs run, whose files they may change.
open_files() {
    rm -rf "$work/files"
    cp -r "$kit/files" "$work/files"
}

# seconds NS: as seconds with three decimals.
seconds() { awk -v ns="$1" 'BEGIN { printf "%.3f", ns / 1e9 }'; }
now() { date +%s%N; }

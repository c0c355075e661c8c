# shellcheck shell=sh
# The files of scripts/gpu-test share their variables.
# Options that may be absent are not quoted.
# shellcheck disable=SC2015,SC2034,SC2086,SC2154
# Packs a kit: everything that a machine with a GPU needs to test gact, see kit.sh.

most_mib=60
cpu=x86-64-v3 arch=sm_90

# The compiler and the runtime: those of the environment, else the release preset.
find_programs() {
    if [ -z "${GACTC:-}" ]; then
        scripts/setup
        { cmake --preset release && cmake --build --preset release -j "$(nproc)"; } >"$work/log" 2>&1 ||
            { cat "$work/log"; exit 1; }
        GACTC=$PWD/build/release/bin/gactc GACTRUN=$PWD/build/release/bin/gactrun
    fi
    : "${GACTRUN:=$(dirname "$GACTC")/gactrun}"
    : "${LIBGACT:=$(dirname "$GACTC")/../runtime/libgact.so.0}"
    : "${DEVICE_COPY:=$(dirname "$GACTC")/device_copy}"
}

pack_programs() {
    cp -L "$GACTRUN" "$kit/bin/gactrun"
    cp -L "$DEVICE_COPY" "$kit/bin/device_copy"
    cp -L "$LIBGACT" "$kit/bin/"
    ldd "$kit"/bin/* | sort -u | awk '/=>/ { print $1, $3 } !/=>/ && /\// { print $1, $1 }' | sort -u |
        while read -r name path; do
            case $name in
            *:) ;;
            *libc.so* | *libm.so* | *libdl.so* | *libpthread.so* | *librt.so* | *ld-linux*) echo "$name" >>"$work/left" ;;
            *) [ ! -f "$path" ] || cp -L "$path" "$kit/lib/$name" ;;
            esac
        done
    echo "libraries: $(cd "$kit/lib" && echo *); not taken: $(sed 's|.*/||' "$work/left" | sort -u | xargs)"
    glibc=$(objdump -T "$kit"/bin/* "$kit"/lib/* 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
    [ -z "$glibc" ] || echo "needs glibc ${glibc#GLIBC_} or newer"
}

# Code for the GPU needs NVRTC (or clang); without it the text in the image is compiled where it runs.
find_gpu_compiler() {
    gpu=--gpu-arch=$arch
    if ! "$GACTC" --cpu=$cpu $gpu tests/gpu/tiny.gact -o "$work/tiny.gactx" >"$work/log" 2>&1; then
        gpu=
        echo "no code for $arch in the images, as there is no compiler for it: $(head -n 1 "$work/log")"
    fi
}

# compile IMAGE FILE OPTION…: false, and a remark, where it cannot be compiled.
compile() {
    made=$images/$1.gactx source=$2
    shift 2
    mkdir -p "${made%/*}"
    "$GACTC" --cpu=$cpu "$@" "$source" -o "$made" >"$work/log" 2>&1 && return
    echo "left out: $source: $(grep -m 1 . "$work/log")"
    return 1
}

# note NAME IMAGE OPTIONS ARGUMENTS: a line of the list, with what it does on the host; one that does not
# begin or end there, or is ended by a signal, is left out.
note() {
    run_line host "$@"
    case $status in
    2 | 12[4-9] | 1[3-9]?) echo "left out: $1: exit status $status: $(head -n 1 "$work/err")"; return ;;
    esac
    mkdir -p "$kit/expect/${1%/*}"
    cp "$work/out" "$kit/expect/$1.out"
    cp "$work/err" "$kit/expect/$1.err"
    echo "$status" >"$kit/expect/$1.status"
    printf '%s\t%s\t%s\t%s\n' "$@" >>"$kit/list"
}

# chosen NAME: is it to be packed?
chosen() {
    case ,$only, in ,, | *,"$1",*) return 0 ;; *) return 1 ;; esac
}

pack_golden() {
    for file in tests/golden/run/*.gact; do
        name=run/$(basename "$file" .gact)
        chosen "$name" && compile "$name" "$file" $gpu || continue
        note "$name" "$name" "" "$(cat "${file%.gact}.args" 2>/dev/null)"
    done
}

pack_blocks() {
    for file in tests/lang/*.gact; do
        name=lang/$(basename "$file" .gact)
        chosen "$name" && compile "$name" "$file" --tests $gpu || continue
        note "$name" "$name" --tests ""
    done
}

pack_examples() {
    while read -r program arguments; do
        case $program in '' | '#'*) continue ;; esac
        image=examples/${program%.gact} name=examples/${program%.gact} count=1
        chosen "$image" || continue
        [ -f "$images/$image.gactx" ] || compile "$image" "examples/$program" $gpu || continue
        while [ -f "$kit/expect/$name.out" ]; do count=$((count + 1)) name=$image-$count; done
        note "$name" "$image" "" "$arguments"
    done <examples/demo.list
}

pack_arrays() {
    for file in tests/bench/arrays/*.gact; do
        name=arrays/$(basename "$file" .gact)
        chosen "$name" && compile "$name" "$file" $gpu || continue
        note "$name" "$name" "" ""
    done
}

# The same program with code for the GPU and without, and one that does nearly nothing.
pack_start() {
    compile start/text tests/bench/arrays/blackscholes.gact || exit 1
    compile start/code tests/bench/arrays/blackscholes.gact $gpu || exit 1
    compile start/tiny tests/gpu/tiny.gact $gpu || exit 1
}

pack() {
    rm -rf "$kit"
    mkdir -p "$kit/bin" "$kit/lib" "$kit/files/pictures"
    cp tests/gpu/workloads.list "$kit/"
    cp -r examples/data "$kit/files/data"
    find_programs
    pack_programs
    find_gpu_compiler
    # Bytes of a program, for the example that counts bytes.
    head -c 2000000 "$GACTRUN" >"$kit/files/data/bytes"
    : >"$kit/list"
    images=$kit/images
    gactrun=$GACTRUN before="timeout 120"
    open_files
    compile inputs tests/gpu/inputs.gact || { cat "$work/log"; exit 1; }
    pack_start
    pack_golden
    pack_blocks
    pack_examples
    pack_arrays
    find "$images" -name '*.gactx' -exec gzip {} +
    mib=$(du -sm "$kit" | cut -f 1)
    echo "$kit: $(wc -l <"$kit/list") programs, $mib MiB"
    [ "$mib" -le "$most_mib" ] || die "the kit has more than $most_mib MiB"
}

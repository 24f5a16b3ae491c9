#!/bin/sh
# Good and bad input for density_labels: sh check.sh PROGRAM
# Bad input must give its exit status, nothing on stdout and one line on stderr.
set -u

program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    sed 's/^/    /' stderr
    failures=$((failures + 1))
}

# refuses STATUS TEXT OPTION...: the line on stderr must hold TEXT.
refuses() {
    status=$1 text=$2
    shift 2
    "$program" "$@" >stdout 2>stderr
    [ $? -eq "$status" ] && [ "$(wc -l <stderr)" -eq 1 ] && [ ! -s stdout ] &&
        grep -q '^density_labels: ' stderr && grep -qF -e "$text" stderr || fail "$*: $text"
}

# accepts TEXT OPTION...: stdout must hold the line TEXT; nothing on stderr; both pictures.
accepts() {
    text=$1
    shift
    rm -f density.png labels.png
    "$program" "$@" >stdout 2>stderr
    [ $? -eq 0 ] && [ ! -s stderr ] && grep -qxF "$text" stdout &&
        [ -s density.png ] && [ -s labels.png ] || fail "$*: $text"
}

# atom COLUMNS: a PDB record whose columns from 31 on are given.
atom() {
    printf 'ATOM      1  C   MOL A   1    %s\n' "$1"
}

accepts 'atoms_with_maximum: 60 of 60'
accepts 'local_maxima: 60'
for spacing in 0.05 0.07 0.13 0.2; do
    accepts 'atoms_with_maximum: 60 of 60' --spacing $spacing --threads 1
done
"$program" --sigma 1 --spacing 0.3 >stdout 2>stderr
[ $? -eq 1 ] && [ "$(wc -l <stderr)" -eq 1 ] && grep -q '^local_maxima: ' stdout || fail 'merged'

printf '2\n\nC 0 0 0\nO\t1.128  0 -1e-1 extra\n9\nnext frame\n' >'two atoms.xyz'
accepts 'atoms_with_maximum: 2 of 2' --input 'two atoms.xyz'
printf '1\r\ncomment\r\nC 1 2 3\r\n' >CRLF.XYZ
accepts 'atoms: 1' --input=CRLF.XYZ
# An atom half-way between two voxels along every axis: eight equal voxels, one maximum.
printf '1\n\nC 0 0 0' >half.xyz
accepts 'local_maxima: 1' --input half.xyz --sigma 0.34
{
    echo 'MODEL        1'
    atom '  -1.000   0.000   0.000  1.00'
    printf 'HETATM    2  O   HOH A   2    1234.5671234.5671234.567\r\n'
    printf 'HETATM10003  O   HOH A   3    1236.5671234.5671234.567\r\n'
    echo 'ENDMDL'
    atom 'not read'
} >model.pdb
sed -n '/HOH/p' model.pdb >touching.pdb
accepts 'atoms: 2' --input touching.pdb
refuses 2 'GB of memory' --input model.pdb --spacing 0.001

refuses 2 'nowhere.pdb: ' --input nowhere.pdb
refuses 2 ': ' --input "$folder"
: >empty.pdb
refuses 2 'empty.pdb:1: the file is empty' --input empty.pdb
echo 'REMARK' >none.pdb
refuses 2 'none.pdb:2: no ATOM or HETATM' --input none.pdb
printf 'ENDMDL\n' | cat - model.pdb >ended.pdb
refuses 2 'ended.pdb:1: no ATOM or HETATM' --input ended.pdb
{ atom '   0.000   0.000   0.000'; atom '   0.000   0.000   0'; } >short.pdb
refuses 2 'short.pdb:2: ' --input short.pdb
echo 'ATOM' >shorter.pdb
refuses 2 'shorter.pdb:1: ' --input shorter.pdb
for bad in '   0.0x0' '     nan' '     inf' '   1e999' '        ' '  0x1p-3' '   1 2.0' '  1,0000' ; do
    atom "   0.000$bad   0.000  1.00" >bad.pdb
    refuses 2 'bad.pdb:1: y coordinate' --input bad.pdb
    printf '2\n\nC 0 0 0\nC 0 0 %s\n' "$(echo "$bad" | sed 's/^ *$/-/; s/ *//')" >bad.xyz
    [ "$bad" = '   1 2.0' ] || refuses 2 'bad.xyz:4: z coordinate' --input bad.xyz
done
printf 'ATOM\000\n' >nul.pdb
refuses 2 'nul.pdb:1: ' --input nul.pdb
awk 'BEGIN { while (i++ < 5000) printf "x" }' >long.pdb
refuses 2 'long.pdb:1: ' --input long.pdb
for count in -1 0 2.5 x '' '3 4' 99999999999999999999999; do
    printf '%s\n\nC 0 0 0\n' "$count" >count.xyz
    refuses 2 'count.xyz:1: ' --input count.xyz
done
printf '3\n\nC 0 0 0\n' >few.xyz
refuses 2 'few.xyz:4: the file ends after 1 of 3 atoms' --input few.xyz
printf '3' >head.xyz
refuses 2 'head.xyz:2: the file ends after 0 of 3 atoms' --input head.xyz
printf '1\n\nC 0 0\n' >columns.xyz
refuses 2 'columns.xyz:3: expected' --input columns.xyz
printf '2\n\nC 0 0 0\nC 1e5 1e5 1e5\n' >far.xyz
refuses 2 'from z = 0 (line 3) to 100000 (line 4)' --input far.xyz
printf '2\n\nC -1e308 0 0\nC 1e308 0 0\n' >farther.xyz
refuses 2 'farther.xyz: ' --input farther.xyz
printf '1\n\nC 1e300 0 0\n' >out.xyz
refuses 2 'too far' --input out.xyz
printf '\037\213\010' >atoms.pdb.gz
refuses 2 'gzip' --input atoms.pdb.gz
echo 'ATOM' >atoms.txt
refuses 2 'must end in' --input atoms.txt
printf '1\n\nC 0 0 \033[2J\n' >escape.xyz
refuses 2 '?[2J' --input escape.xyz

for bad in 0 -1 nan inf 0.1x x '' 1e999 0x1 '0.1 0.1'; do
    refuses 2 '--spacing' --spacing "$bad"
    refuses 2 '--sigma' --sigma="$bad"
done
for bad in -1 1.5 x 4x '' 99999999999; do
    refuses 2 '--threads' --threads "$bad"
done
refuses 2 '--sigma' --sigma
refuses 2 '--input' --input ''
refuses 2 'unknown option' --spacingx 1
refuses 2 'unknown option' stray
refuses 2 'GB of memory' --spacing 1e-7
refuses 2 'GB of memory' --sigma 1e300

"$program" --help >stdout 2>stderr && [ ! -s stderr ] && grep -q '^usage: ' stdout || fail '--help'
"$program" --out nowhere >stdout 2>stderr
[ $? -eq 3 ] && [ "$(wc -l <stderr)" -eq 1 ] || fail '--out nowhere'
if [ -c /dev/full ]; then
    "$program" >/dev/full 2>stderr
    [ $? -eq 3 ] && [ "$(wc -l <stderr)" -eq 1 ] || fail 'stdout full'
    rm -f labels.png
    ln -s /dev/full labels.png
    "$program" >stdout 2>stderr
    [ $? -eq 3 ] && grep -q 'labels.png' stderr && [ "$(wc -l <stderr)" -eq 1 ] || fail 'disk full'
fi

[ $failures -eq 0 ] && echo 'density_labels: all checks passed'

#!/bin/sh
# Every fuzz target for ten seconds (FUZZ_SECONDS: another time) under ASan and UBSan. They are built by clang into a
# folder of their own, whatever $BUILD is, so once is enough.
cd "$(dirname "$0")/../.." || exit
seconds=${FUZZ_SECONDS:-10}
case ${BUILD:-build} in
*/asan | */ubsan | */tsan | */cover)
	echo '1..0 # SKIP the fuzz targets have sanitizers of their own, and ran with the normal build'
	exit 0
	;;
esac
command -v clang-14 >/dev/null || {
	echo '1..0 # SKIP clang-14 is not installed'
	exit 0
}

count=0
failed=0
for target in tests/fuzz/*.c; do
	name=$(basename "$target" .c)
	count=$((count + 1))
	if said=$(scripts/fuzz "$name" "$seconds" 2>&1); then
		echo "ok $count - $(printf '%s\n' "$said" | tail -n 1)"
	else
		failed=1
		echo "not ok $count - $name"
		printf '%s\n' "$said" | tail -n 12 | sed 's/^/# /'
	fi
done
echo "1..$count"
exit $failed

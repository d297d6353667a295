# The action's image: slipway, the shared libraries it needs, CA certificates and a static busybox; nothing else.
#   docker build -t slipway -f Dockerfile .
#   docker build -t slipway:arm64 --build-arg ARCH=arm64 -f Dockerfile .    cross-compiled
FROM debian:bookworm-slim AS build
ARG ARCH
# libarchive, jansson and libyaml are linked from their archives: of libarchive only what reads tar comes along, not libxml2 with ICU.
# What the action's runtime looks up in /etc is written here too: names of users, and hosts before DNS.
RUN set -eu; native=$(dpkg --print-architecture); arch=${ARCH:-$native}; gcc=gcc; \
	if [ "$arch" != "$native" ]; then \
		dpkg --add-architecture "$arch"; \
		case $arch in arm64) gcc=gcc-aarch64-linux-gnu ;; amd64) gcc=gcc-x86-64-linux-gnu ;; esac; \
	fi; \
	apt-get update -qq; \
	apt-get install -y -qq --no-install-recommends make ca-certificates binutils "$gcc" "libc6-dev:$arch" \
		"libcurl4-openssl-dev:$arch" "libjansson-dev:$arch" "libssl-dev:$arch" "libyaml-dev:$arch" "libarchive-dev:$arch" \
		"zlib1g-dev:$arch" "libgcc-s1:$arch" >/dev/null; \
	cd /tmp; apt-get download -qq "busybox-static:$arch"; dpkg -x busybox-static_*.deb /tmp/busybox; \
	rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY lib lib
COPY action action
RUN set -eu; cc=$(ls /usr/bin/*-linux-gnu-gcc | grep -v "^/usr/bin/$(gcc -dumpmachine 2>/dev/null)-" | head -n 1); \
	make -s -j"$(nproc)" LEAN=yes CC="${cc:-gcc}" build/slipway
RUN set -eu; out=/out; mkdir -p $out/bin $out/usr/bin $out/lib $out/etc/ssl/certs $out/tmp; chmod 1777 $out/tmp; \
	objects=$(readelf -h build/slipway | sed -n 's/.*Machine: *//p'); \
	case $objects in *AArch64*) triplet=aarch64-linux-gnu loader=lib/ld-linux-aarch64.so.1 ;; *) triplet=x86_64-linux-gnu loader=lib64/ld-linux-x86-64.so.2 ;; esac; \
	strip=$(command -v $triplet-strip || command -v strip); \
	$strip -o $out/usr/bin/slipway build/slipway; \
	copy() { \
		for name in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do \
			case $name in ld-linux*) continue ;; esac; \
			[ ! -e "$out/lib/$name" ] || continue; \
			file=$(ls /lib/$triplet/$name /usr/lib/$triplet/$name 2>/dev/null | head -n 1); \
			cp -L "$file" "$out/lib/$name"; copy "$file"; \
		done; \
	}; \
	copy build/slipway; \
	mkdir -p "$out/${loader%/*}"; cp -L "/$loader" "$out/$loader"; \
	cp /tmp/busybox/bin/busybox $out/bin/busybox; \
	for name in sh tail env mv tar find cat chmod chown cp cut date dirname basename echo expr false grep head id kill ln ls mkdir mktemp \
		printf pwd readlink rm rmdir sed sleep sort test touch tr true uname wc xargs; do ln -s busybox "$out/bin/$name"; done; \
	ln -s /bin/busybox $out/usr/bin/env; ln -s slipway $out/usr/bin/slipway-post; \
	cp /etc/ssl/certs/ca-certificates.crt $out/etc/ssl/certs/; \
	echo 'root:x:0:0:root:/github/home:/bin/sh' >$out/etc/passwd; echo 'root:x:0:' >$out/etc/group; \
	echo 'hosts: files dns' >$out/etc/nsswitch.conf

FROM scratch
COPY --from=build /out /
ENV PATH=/usr/bin:/bin
ENTRYPOINT ["/usr/bin/slipway"]

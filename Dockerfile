# The action's image: slipway and what it needs to run.
#   docker build -t slipway -f Dockerfile .
FROM debian:bookworm-slim AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc make libc6-dev \
	libcurl4-openssl-dev libjansson-dev libssl-dev libyaml-dev libarchive-dev \
	&& rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY lib lib
COPY action action
RUN make -s build/slipway && strip build/slipway

FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates git libcurl4 \
	libjansson4 libssl3 libyaml-0-2 libarchive13 nginx runit \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/slipway /usr/bin/slipway
ENTRYPOINT ["/usr/bin/slipway"]

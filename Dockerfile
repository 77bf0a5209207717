# The program file with what it calls: docker, and ssh for engines elsewhere. First: npm run program
ARG BASE=debian:trixie-slim
FROM $BASE
# A base that has them needs no network.
RUN command -v docker ssh || { \
    apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates docker-cli openssh-client && \
    rm -rf /var/lib/apt/lists/*; }
ARG PROGRAM=hephaestus-linux-x64
COPY program/$PROGRAM /usr/local/bin/hephaestus
COPY program/licenses.txt /usr/share/doc/hephaestus/
COPY image/entrypoint.sh /usr/local/bin/
# The engine that is asked is not on the machine that the program sees.
ENV HEPHAESTUS_IMAGE=1 DOCKER_CONFIG=/docker
WORKDIR /work
ENTRYPOINT ["entrypoint.sh"]

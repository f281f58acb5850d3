# Realm in an image: two static programs, a user, a place for the home, and nothing else.
#
#   docker build -t realm .        builds the programs, and then the image
#   scripts/image realm            makes the image of programs that are built, without any registry

# What the programs stand on; scratch is nothing.
ARG BASE=scratch
# What builds them.
ARG BUILDER=docker.io/library/rust:1.95-bookworm

FROM ${BASE} AS runtime
ENV PATH=/usr/local/bin XDG_DATA_HOME=/var/lib
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/realmd"]
CMD ["run"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 \
  CMD ["/usr/local/bin/realmctl", "status", "--quiet"]

# The context is a folder that scripts/image has laid out.
FROM runtime AS prebuilt
COPY root/ /
COPY --chown=10001:10001 home/ /var/lib/realm/
WORKDIR /var/lib/realm
VOLUME /var/lib/realm

FROM ${BUILDER} AS builder
WORKDIR /realm
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN scripts/release /dist && mkdir /home-of-realms

FROM runtime AS final
COPY --from=builder /dist/realmd /dist/realmctl /usr/local/bin/
COPY --from=builder --chown=10001:10001 /home-of-realms/ /var/lib/realm/
WORKDIR /var/lib/realm
VOLUME /var/lib/realm

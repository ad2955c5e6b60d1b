# The server as an image: one static binary, the roots of TLS, a folder for data.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN scripts/image-root.sh /out

FROM scratch
COPY --from=build /out/carerecord /carerecord
COPY --from=build /out/etc /etc
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
# Set CARERECORD_PUBLIC_URL, and CARERECORD_TLS_CERT and CARERECORD_TLS_KEY or CARERECORD_TRUSTED_PROXY: the program
# serves other machines with TLS, or behind a proxy that ends it, and says so if it has neither.
# 8081 is for the operator alone: publish it where only the operator reaches it.
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/carerecord", "health", "--to", "127.0.0.1:8080"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/carerecord"]
CMD ["serve", "--store", "pebble:/data/record", "--listen", "0.0.0.0:8080", "--admin", "0.0.0.0:8081"]

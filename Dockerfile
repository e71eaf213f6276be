# Caddy with caddy-sticky, from this checkout:
#
#	docker build -t caddy-sticky .
#	docker run -p 80:80 -v ./Caddyfile:/etc/caddy/Caddyfile:ro caddy-sticky
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY . .
# xcaddy, with the versions of xcaddy.json; statically linked, for any system.
RUN CGO_ENABLED=0 go run ./build -o /caddy

FROM alpine:3
# Certificates of authorities, for HTTPS that scripts and authorize ask.
RUN apk add --no-cache ca-certificates && adduser -S -D -h /data caddy && mkdir -p /config && chown caddy /config
COPY --from=build /caddy /usr/local/bin/caddy
# Any user may bind low ports in a container: Docker sets net.ipv4.ip_unprivileged_port_start to 0.
USER caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
VOLUME /config /data
# SIGTERM gives open connections the grace_period of the config.
STOPSIGNAL SIGTERM
ENTRYPOINT ["caddy"]
CMD ["run", "--config", "/etc/caddy/Caddyfile"]

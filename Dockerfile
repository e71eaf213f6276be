# Caddy with caddy-sticky, from this checkout:
#
#	docker build -t caddy-sticky .
#	docker run -p 80:80 -v ./Caddyfile:/etc/caddy/Caddyfile:ro caddy-sticky
FROM golang:1.26-alpine AS build
RUN go install github.com/caddyserver/xcaddy/cmd/xcaddy@v0.4.5
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 xcaddy build v2.11.9 \
	--with github.com/caddy-sticky/caddy-sticky=. \
	--with github.com/mholt/caddy-l4@v0.1.2 \
	--output /caddy

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

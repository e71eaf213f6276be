package sticky

import (
	_ "github.com/mholt/caddy-l4"

	_ "github.com/caddy-sticky/caddy-sticky/caddyfile/legacy"
	_ "github.com/caddy-sticky/caddy-sticky/command"
	_ "github.com/caddy-sticky/caddy-sticky/l4sticky"
	_ "github.com/caddy-sticky/caddy-sticky/l4sticky/stores/redis"
	_ "github.com/caddy-sticky/caddy-sticky/middleware"
	_ "github.com/caddy-sticky/caddy-sticky/middleware/script"
	_ "github.com/caddy-sticky/caddy-sticky/privileges"
)

package privileges

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

const appName = "privileges"

func init() {
	caddy.RegisterModule(new(App))
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobalOption)
}

// App refuses a config unless Caddy runs as the user that is named. Caddy can't change its user once it runs: its
// sockets would belong to two users, and the next reload would fail.
type App struct {
	// The user that Caddy must run as, by name or UID, and never root. Must be given.
	User string `json:"user,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appName,
		New: func() caddy.Module { return new(App) },
	}
}

// table returns the app's options.
func (a *App) table() parse.Options {
	return parse.Options{parse.String("user", &a.User, "", parse.Required[string](""))}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (a *App) UnmarshalJSON(data []byte) error {
	type plain App
	return a.table().ReadJSON(data, (*plain)(a))
}

// Provision checks that Caddy runs as the user.
func (a *App) Provision(caddy.Context) error {
	if err := a.table().SetDefaults(); err != nil {
		return err
	}
	user, err := Lookup(a.User)
	if err == nil {
		err = user.checkCurrent()
	}
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	return nil
}

// Start does nothing.
func (*App) Start() error { return nil }

// Stop does nothing.
func (*App) Stop() error { return nil }

// parseGlobalOption reads the global option of a Caddyfile. Syntax:
//
//	privileges {
//		user <name_or_uid>
//	}
func parseGlobalOption(d *caddyfile.Dispenser, _ any) (any, error) {
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the App from Caddyfile tokens.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return a.table().ReadModule(d, appName)
}

// Interface guards
var (
	_ caddy.App             = (*App)(nil)
	_ caddy.Provisioner     = (*App)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)

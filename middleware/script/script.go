package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/internal/clientip"
	"github.com/caddy-sticky/caddy-sticky/internal/pooltargets"
	"github.com/caddy-sticky/caddy-sticky/middleware"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
)

func init() {
	caddy.RegisterModule(new(Script))
}

// Script asks a balancerController script of LoadBalancer.js, as it is:
//
//	module.exports.run = function (balancer) {
//		balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
//			next(blocked.has(socket.remoteAddress) && 'blocked');
//		});
//	};
//
// It runs as it would in one process of Node that lives as long as the config: what it keeps in variables stays,
// and is new with each reload, which also reads the script anew. Whatever goes wrong in a script keeps
// out the client about which it was deciding; one that does not come back within a second is stopped and starts anew.
type Script struct {
	// The path of the script. A relative one in a Caddyfile or a config.json is relative to the folder of that
	// file; in JSON, and where there is no file, to the working folder of Caddy. Global placeholders such as
	// {env.HOME} are replaced. Must be given.
	Path string `json:"path,omitempty"`

	// A text that is another one when the script is, or a file that it requires by a relative path. Caddy takes no
	// notice of a config that is the same as the one before, so the config adapters put it in: a reload then reads
	// the changed script. It is not looked at. Default: none.
	Version string `json:"version,omitempty"`

	// The pool of `sticky_proxy` or `sticky_ip` whose targets are meant by the script's balancer.isTargetActive and
	// balancer.deactivateTarget. Default: `default`.
	Pool string `json:"pool,omitempty"`

	// Where the script runs.
	//
	// - `embedded`: in Caddy, in a small JavaScript engine with what a script that decides about addresses needs of Node. What
	//   a script needs beyond that is an error when the config is loaded.
	// - `node`: in a process of Node.js of its own, where a script may do all that it may in Node.
	// - `auto`: embedded if the script can be loaded there, else in Node.js if that is installed. The log tells which one was
	//   taken, and why.
	//
	// Default: `auto`.
	Runtime string `json:"runtime,omitempty"`

	// The path of Node.js, version 18 or newer, for the runtimes `node` and `auto` only. Global placeholders are replaced. Default: `node`, which
	// is looked for in PATH.
	NodePath string `json:"node_path,omitempty"`

	// How much memory the script may take, in bytes; in a Caddyfile with a unit, such as `256MiB`. In Node.js it is that
	// of the process beyond what an empty one takes. A script that takes more is stopped and starts anew. Zero means the
	// default; less than 16 MiB is an error. Default: 268435456, which is 256 MiB.
	MemoryLimit int `json:"memory_limit,omitempty"`

	script *decide.Script
}

// New returns the middleware for the script at path, with its version.
func New(path string) *Script {
	return &Script{Path: path, Version: modules.Fingerprint(path)}
}

// CaddyModule returns the Caddy module information.
func (*Script) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.middleware.script",
		New: func() caddy.Module { return new(Script) },
	}
}

// table returns the options beside the path.
func (s *Script) table() parse.Options {
	return parse.Options{
		parse.String("pool", &s.Pool, "default"),
		parse.Enum("runtime", &s.Runtime, runtimeAuto, runtimeAuto, runtimeEmbedded, runtimeNode),
		parse.String("node_path", &s.NodePath, "").OnlyFor("runtime node or auto", s.Runtime != runtimeEmbedded),
		parse.Size("memory_limit", &s.MemoryLimit, defaultMemory, leastMemory),
	}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (s *Script) UnmarshalJSON(data []byte) error {
	type plain Script
	return s.table().ReadJSON(data, (*plain)(s))
}

// Provision loads the script. An error names the file and the line.
func (s *Script) Provision(ctx caddy.Context) (err error) {
	if s.Path == "" {
		return errors.New("path: must be given, such as ./balancer.js")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(s.Path, true, true)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if err := s.table().SetDefaults(); err != nil {
		return err
	}
	// Caddy provisions apps in any order, and the script must not run as a user that the app refuses.
	if _, err := ctx.AppIfConfigured("privileges"); err != nil && !errors.Is(err, caddy.ErrNotConfigured) {
		return err
	}
	if path, err = modules.Find(path); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	nodePath, err := caddy.NewReplacer().ReplaceOrErr(s.NodePath, true, true)
	if err != nil {
		return fmt.Errorf("node_path: %w", err)
	}
	o := decide.Options{Logger: ctx.Slogger(), MemoryLimit: int64(s.MemoryLimit)}
	if pooltargets.Get() != nil {
		o.Targets = pooltargets.Pool(s.Pool)
	}
	s.script, err = load(ctx, s.Runtime, path, nodePath, o)
	return err
}

// Decide asks the script.
func (s *Script) Decide(ctx context.Context, client *middleware.Client) error {
	c := decide.Client{Remote: clientip.AddrPort(client.RemoteAddr()), Local: clientip.AddrPort(client.LocalAddr())}
	if w := client.Watch(); w != nil {
		c.OnEnd, c.Kick = w.OnEnd, w.End
	}
	return s.script.Decide(ctx, c)
}

// Punctual tells the matcher that Decide returns as soon as its context ends.
func (*Script) Punctual() {}

// Cleanup closes the script as soon as no decision of it is pending any more.
func (s *Script) Cleanup() error {
	if s.script != nil {
		s.script.Retire()
	}
	return nil
}

// UnmarshalCaddyfile sets up the Script from Caddyfile tokens. Syntax:
//
//	script <path> {
//		pool <name>
//		runtime auto|embedded|node
//		node_path <path>
//		memory_limit <size>
//	}
func (s *Script) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the middleware's name
	if !d.NextArg() {
		return d.Err("script: the path of a script must be given, such as ./balancer.js")
	}
	*s = *New(besideFile(d.File(), d.Val()))
	if d.NextArg() {
		return d.Errf("script: '%s': only one path may be given", d.Val())
	}
	return s.table().ReadBlock(d, "script")
}

// besideFile makes a path that is relative to a config file's folder one that holds everywhere, as the config
// may be adapted in another folder than it runs in.
func besideFile(file, path string) string {
	if path == "" || filepath.IsAbs(path) || path[0] == '{' {
		return path
	}
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return path // the config comes from no file
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return path
	}
	return filepath.Join(filepath.Dir(absolute), path)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Script)(nil)
	_ caddy.CleanerUpper    = (*Script)(nil)
	_ caddyfile.Unmarshaler = (*Script)(nil)
	_ middleware.Punctual   = (*Script)(nil)
)

package legacy

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/l4sticky"
	"github.com/caddy-sticky/caddy-sticky/middleware"
	"github.com/caddy-sticky/caddy-sticky/middleware/script"
	"github.com/caddy-sticky/caddy-sticky/privileges"
)

const adapterName = "loadbalancer"

func init() {
	caddyconfig.RegisterAdapter(adapterName, adapter{})
}

type adapter struct{}

// beforeServing is set by `caddy loadbalancer run` before it starts Caddy. The adapter calls it once, for the first
// config: that is after Caddy has read the file as the user who started it, and before Caddy opens anything.
var beforeServing func() error

// Adapt turns a config.json of LoadBalancer.js into Caddy JSON.
func (adapter) Adapt(body []byte, options map[string]any) ([]byte, []caddyconfig.Warning, error) {
	// Only a config that comes from a file has a name.
	file, _ := options["filename"].(string)
	c, err := readConfig(body, file)
	if err != nil {
		return nil, nil, err
	}
	// Whether the script can be read depends on the user that root has become.
	prepare := beforeServing
	if beforeServing = nil; prepare != nil {
		if err := prepare(); err != nil {
			return nil, nil, err
		}
	}
	if err := c.checkController(); err != nil {
		if prepare != nil {
			return nil, nil, fmt.Errorf("%s: %w", controllerName, err)
		}
		c.warn(controllerName, err.Error())
	}
	result, err := c.adapt()
	if err != nil {
		return nil, nil, err
	}
	return result, c.warnings, nil
}

// adapt returns the JSON of the Caddy config that does what this config says, and adds the file and the lines to the warnings.
func (c *config) adapt() ([]byte, error) {
	result, err := json.Marshal(c.caddy())
	if err != nil {
		return nil, fmt.Errorf("encoding the adapted config: %w", err)
	}
	for i := range c.warnings {
		c.warnings[i].File, c.warnings[i].Line = c.file, lineOf(c.lines, c.warnings[i].Directive)
	}
	return result, nil
}

// config is the content of a config.json.
type config struct {
	lines      map[string]int // in which each option is
	file       string         // the path that it was read from, if there is one
	sourcePort int
	handler    l4sticky.Handler
	controller string // the path of the script, if there is one
	user       string // to become, if there is one
	warnings   []caddyconfig.Warning
}

func readConfig(body []byte, file string) (*config, error) {
	document, err := decode(body)
	if err != nil {
		return nil, err
	}
	c := &config{file: file, lines: linesOf(body)}
	c.handler.Placement = placementLegacy
	if err := readObject(c, "", document, configOptions); err != nil {
		return nil, err
	}
	if c.handler.Placement == placementRandom {
		c.handler.Upstreams = weighted(c.handler.Upstreams)
		if c.handler.SessionExpiry != 0 {
			c.warn("sessionExpiry", "has no effect with stickiness false: there are no sessions")
			c.handler.SessionExpiry = 0
		}
	}
	return c, nil
}

// warn adds a warning about the option at path.
func (c *config) warn(path, message string) {
	c.warnings = append(c.warnings, caddyconfig.Warning{Directive: path, Message: message})
}

// caddy returns the Caddy config that does what this config says.
func (c *config) caddy() *caddy.Config {
	route := &layer4.Route{HandlersRaw: []json.RawMessage{
		caddyconfig.JSONModuleObject(&c.handler, "handler", c.handler.CaddyModule().ID.Name(), &c.warnings),
	}}
	if c.controller != "" {
		matcher := middleware.Matcher{ChainRaw: []json.RawMessage{
			caddyconfig.JSONModuleObject(script.New(c.controller), "middleware", "script", &c.warnings),
		}}
		route.MatcherSetsRaw = []caddy.ModuleMap{{matcher.CaddyModule().ID.Name(): caddyconfig.JSON(&matcher, &c.warnings)}}
	}
	app := layer4.App{Servers: map[string]*layer4.Server{
		adapterName: {Listen: []string{"seamless/" + c.listen()}, Routes: layer4.RouteList{route}},
	}}
	apps := caddy.ModuleMap{"layer4": caddyconfig.JSON(app, &c.warnings)}
	if c.user != "" {
		user := &privileges.App{User: c.user}
		apps[user.CaddyModule().ID.Name()] = caddyconfig.JSON(user, &c.warnings)
	}
	return &caddy.Config{AppsRaw: apps}
}

// listen returns the address of every interface, IPv4 and IPv6, at the source port.
func (c *config) listen() string {
	return net.JoinHostPort("", strconv.Itoa(c.sourcePort))
}

// weighted returns every target once, with the number of times that it was listed as its weight. Only the legacy
// placement, which chooses by index, takes a list with duplicates.
func weighted(upstreams []*l4sticky.Upstream) []*l4sticky.Upstream {
	var distinct []*l4sticky.Upstream
	byAddress := make(map[string]*l4sticky.Upstream)
	for _, u := range upstreams {
		first, known := byAddress[u.Dial]
		switch {
		case !known:
			byAddress[u.Dial] = u
			distinct = append(distinct, u)
		case first.Weight == nil:
			first.Weight = new(2)
		default:
			*first.Weight++
		}
	}
	return distinct
}

var _ caddyconfig.Adapter = adapter{}

package l4sticky

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// Admin is the admin API of the pools, below /sticky/ on Caddy's admin endpoint. It has no options.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.sticky",
		New: func() caddy.Module { return new(Admin) },
	}
}

// Provision has the metrics told by the admin endpoint of a config from its start, which is before that of the handlers, and also if
// the config is refused, which may leave the endpoint to it.
func (a *Admin) Provision(ctx caddy.Context) error {
	return registerMetrics(ctx.GetMetricsRegistry())
}

// Routes returns the routes of the API.
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/sticky/", Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

// An endpoint is what answers one method at one path, in which a name in braces stands for any text. Its answer is sent as
// JSON, unless it is an answerPage.
type endpoint struct {
	method, path string
	params       []string // of the query
	serve        func(*adminRequest) (any, error)
}

// endpoints are all that there are below /sticky/.
var endpoints = []endpoint{
	{method: http.MethodGet, path: "", serve: getPage},
	{method: http.MethodGet, path: "pools", serve: getPools},
	{method: http.MethodGet, path: "pools/{pool}", serve: getPool},
	{method: http.MethodGet, path: "pools/{pool}/sessions", params: []string{"client", "upstream", "state", "limit", "cursor"}, serve: getSessions},
	{method: http.MethodPost, path: "pools/{pool}/sessions", serve: postSessions},
	{method: http.MethodDelete, path: "pools/{pool}/sessions", params: []string{"client", "upstream", "state", "close", "all"}, serve: deleteSessions},
	{method: http.MethodGet, path: "pools/{pool}/upstreams/{address}", serve: getUpstream},
	{method: http.MethodPatch, path: "pools/{pool}/upstreams/{address}", serve: patchUpstream},
	{method: http.MethodGet, path: "pools/{pool}/rebalance", serve: getRebalance},
	{method: http.MethodPost, path: "pools/{pool}/rebalance", serve: postRebalance},
	{method: http.MethodDelete, path: "pools/{pool}/rebalance", serve: deleteRebalance},
	{method: http.MethodPost, path: "plan", serve: postPlan},
	{method: http.MethodGet, path: "pools/{pool}/explain", params: []string{"client"}, serve: getExplanation},
}

// An adminRequest is a request for an endpoint.
type adminRequest struct {
	*http.Request
	vars  map[string]string // of the path
	query url.Values
}

// serveAdmin answers a request below /sticky/.
func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	found, vars, allowed := route(r.Method, strings.TrimPrefix(r.URL.EscapedPath(), "/sticky/"))
	switch {
	case found == nil && len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return apiError(http.StatusMethodNotAllowed, "the method %s is not one of %s", r.Method, strings.Join(allowed, ", "))
	case found == nil:
		return apiError(http.StatusNotFound, "there is nothing at %s", r.URL.Path)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return apiError(http.StatusBadRequest, "the query: %w", err)
	}
	for name, values := range query {
		if !slices.Contains(found.params, name) {
			return apiError(http.StatusBadRequest, "%s: there is no such parameter here", name)
		}
		if len(values) > 1 {
			return apiError(http.StatusBadRequest, "%s: the parameter is given %d times", name, len(values))
		}
	}
	answer, err := found.serve(&adminRequest{r, vars, query})
	if err != nil {
		return err
	}
	if p, ok := answer.(answerPage); ok {
		return p.send(w)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// route returns the endpoint for a method and a path with the variables of the path, or else the methods that are allowed there.
func route(method, path string) (found *endpoint, vars map[string]string, allowed []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range endpoints {
		e := &endpoints[i]
		matched, ok := match(e.path, path)
		switch {
		case !ok:
		case e.method == method:
			return e, matched, nil
		default:
			allowed = append(allowed, e.method)
		}
	}
	return nil, nil, allowed
}

// match returns the variables of an escaped path that a pattern matches.
func match(pattern, path string) (vars map[string]string, ok bool) {
	names, texts := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(names) != len(texts) {
		return nil, false
	}
	vars = make(map[string]string)
	for i, name := range names {
		text, err := url.PathUnescape(texts[i])
		switch {
		case err != nil:
			return nil, false
		case strings.HasPrefix(name, "{"):
			vars[strings.Trim(name, "{}")] = text
		case name != text:
			return nil, false
		}
	}
	return vars, true
}

// apiError returns an error with a status of HTTP.
func apiError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// badRequest returns an error that tells what is wrong with a request.
func badRequest(err error) error { return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err} }

// maxBody is the size of the largest document that is read, unless an endpoint takes more.
const maxBody = 1 << 20

// decode reads the body of a request into a document.
func (r *adminRequest) decode(document any) error { return r.decodeWithin(maxBody, document) }

// decodeWithin is decode for a body of at most that many bytes.
func (r *adminRequest) decodeWithin(limit int64, document any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(body)) > limit {
		return apiError(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", limit)
	}
	if err == nil {
		err = parse.Decode(body, document)
	}
	if err != nil {
		return badRequest(fmt.Errorf("the body: %w", err))
	}
	return nil
}

// pool returns what the running config makes of the pool that the path names.
func (r *adminRequest) pool() (*poolConfig, error) {
	name := r.vars["pool"]
	if p := poolNamed(name); p != nil {
		if c := p.applied.Load(); c != nil {
			return c, nil
		}
	}
	return nil, apiError(http.StatusNotFound, "there is no pool '%s'", name)
}

// Interface guards
var (
	_ caddy.AdminRouter = (*Admin)(nil)
	_ caddy.Provisioner = (*Admin)(nil)
)

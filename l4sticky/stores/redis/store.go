package redis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

func init() {
	caddy.RegisterModule(new(Store))
}

// Store keeps sessions in Redis (6.2 or later) or Valkey: in one server, one with replicas that Sentinels watch over, or a cluster.
// All options but `database`, `key_prefix` and those that are true or false may have placeholders such as `{env.REDIS_PASSWORD}`
// or `{file./run/secrets/redis}`.
type Store struct {
	// The addresses of servers, `host:port`. One is a server, or a node of a cluster. More are nodes of a cluster, of which one
	// is enough to find the others. With `sentinel_master` they are Sentinels. Must be given.
	Addresses []string `json:"addresses,omitempty"`

	// The name by which the Sentinels know the servers. Default: none, there are no Sentinels.
	SentinelMaster string `json:"sentinel_master,omitempty"`

	// The user at the Sentinels. Default: none.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// The password of the Sentinels. Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// The ACL user. Default: `default`, that of the server.
	Username string `json:"username,omitempty"`

	// The password. Default: none.
	Password string `json:"password,omitempty"`

	// The number of the database. A cluster has only 0. Default: 0.
	Database int `json:"database,omitempty"`

	// What all keys and channels begin with, before a colon. Balancers that share sessions have the same. It has letters, digits and `_.-:/`
	// only. Default: `sticky`.
	KeyPrefix string `json:"key_prefix,omitempty"`

	// Connect by TLS, to the Sentinels as well. Default: `false`.
	TLS bool `json:"tls,omitempty"`

	// The file with the certificates of the authorities that are trusted, in PEM. Default: those of the system.
	TLSCA string `json:"tls_ca,omitempty"`

	// The name that a server's certificate must have. Default: the host of its address.
	TLSServerName string `json:"tls_server_name,omitempty"`

	// The file with the certificate by which the server knows its clients, in PEM. Default: none.
	TLSCertificate string `json:"tls_certificate,omitempty"`

	// The file with the key of that certificate, in PEM. Must be given with `tls_certificate`, and only then. Default: none.
	TLSKey string `json:"tls_key,omitempty"`

	// Take any certificate of a server. This is for tests. Default: `false`.
	TLSInsecureSkipVerify bool `json:"tls_insecure_skip_verify,omitempty"`

	// secrets are the passwords, with their placeholders replaced.
	secrets    []string
	key        string // of the connection
	connection *connection
}

// CaddyModule returns the Caddy module information.
func (*Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  stores.Namespace + ".redis",
		New: func() caddy.Module { return new(Store) },
	}
}

// defaultKeyPrefix is that of `key_prefix`.
const defaultKeyPrefix = "sticky"

func (s *Store) table() parse.Options {
	return parse.Options{
		parse.Strings("addresses", &s.Addresses).OnLine(),
		parse.String("sentinel_master", &s.SentinelMaster, ""),
		parse.String("sentinel_username", &s.SentinelUsername, ""),
		parse.String("sentinel_password", &s.SentinelPassword, "").Secret(),
		parse.String("username", &s.Username, ""),
		parse.String("password", &s.Password, "").Secret(),
		parse.IntOrZero("database", &s.Database, checkDatabase),
		parse.String("key_prefix", &s.KeyPrefix, defaultKeyPrefix, checkKeyPrefix),
		parse.Flag("tls", &s.TLS),
		parse.String("tls_ca", &s.TLSCA, ""),
		parse.String("tls_server_name", &s.TLSServerName, ""),
		parse.String("tls_certificate", &s.TLSCertificate, ""),
		parse.String("tls_key", &s.TLSKey, ""),
		parse.Flag("tls_insecure_skip_verify", &s.TLSInsecureSkipVerify),
	}
}

func checkDatabase(n int) error {
	if n < 0 {
		return fmt.Errorf("%d is negative", n)
	}
	return nil
}

// checkKeyPrefix sees to it that keys can be told apart, have the hash tags that they are meant to have, and can be matched by a pattern.
func checkKeyPrefix(prefix string) error {
	const allowed = "_.-:/"
	if i := strings.IndexFunc(prefix, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(allowed, r))
	}); i >= 0 {
		return fmt.Errorf("'%s' has more than letters, digits and '%s'", prefix, allowed)
	}
	return nil
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (s *Store) UnmarshalJSON(data []byte) error {
	type plain Store
	return s.table().ReadJSON(data, (*plain)(s))
}

// Provision checks the options. It does not wait for a connection, so that a config is loaded while there is no server.
func (s *Store) Provision(caddy.Context) error {
	if err := s.table().SetDefaults(); err != nil {
		return err
	}
	option, key, err := s.clientOption()
	if err != nil {
		return err
	}
	s.secrets = slices.DeleteFunc([]string{option.Password, option.Sentinel.Password}, func(secret string) bool { return secret == "" })
	s.key = key
	value, _, err := connections.LoadOrNew(s.key, func() (caddy.Destructor, error) { return newConnection(option), nil })
	if err != nil {
		return err
	}
	s.connection = value.(*connection)
	return nil
}

// Cleanup lets go of the connection.
func (s *Store) Cleanup() error {
	if s.connection == nil {
		return nil
	}
	_, err := connections.Delete(s.key)
	return err
}

// UnmarshalCaddyfile sets up the Store from Caddyfile tokens. Syntax:
//
//	redis <addresses...> {
//		sentinel_master <name>
//		sentinel_username <name>
//		sentinel_password <password>
//		username <name>
//		password <password>
//		database <number>
//		key_prefix <text>
//		tls
//		tls_ca <file>
//		tls_server_name <name>
//		tls_certificate <file>
//		tls_key <file>
//		tls_insecure_skip_verify
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if s.Addresses = d.RemainingArgs(); len(s.Addresses) == 0 {
		return d.Err("session_store redis: takes at least one address")
	}
	return s.table().ReadBlock(d, "session_store redis")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ caddy.CleanerUpper    = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
	_ stores.Store          = (*Store)(nil)
)

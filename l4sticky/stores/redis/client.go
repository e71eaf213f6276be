package redis

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/rueidis"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

const (
	// clientName is what the servers list the connections by.
	clientName = "caddy-sticky"

	dialTimeout = 3 * time.Second
	// silence is how long a connection is silent before the server is asked for a sign of life, and how long that may take.
	silence = 2 * time.Second
	// topologyInterval is the time between two looks at which servers there are, beside those that errors cause.
	topologyInterval = 10 * time.Second
	// bufferSize is that of each of a connection's two buffers. A command for many sessions is sent in several parts.
	bufferSize = 16 << 10
)

// clientOption returns what a client is made of, with all placeholders replaced, and the same text for stores that can share one.
func (s *Store) clientOption() (rueidis.ClientOption, string, error) {
	r := reader{placeholders: caddy.NewReplacer(), digest: sha256.New()}
	option := rueidis.ClientOption{
		Username: r.value("username", s.Username), Password: r.value("password", s.Password), SelectDB: s.Database,
		Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: silence}, ConnWriteTimeout: silence,
		ClientName: clientName, ClientSetInfo: rueidis.DisableClientSetInfo,
		// A call whose context has ended must not take the connection with it, as it would without pipelining.
		AlwaysPipelining: true, PipelineMultiplex: -1, RingScaleEachConn: queueScale,
		ReadBufferEachConn: bufferSize, WriteBufferEachConn: bufferSize,
		// The table of sessions is the cache, and the callers try again themselves.
		DisableCache: true, DisableRetry: true,
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: topologyInterval, MaxMovedRedirections: 5},
	}
	option.Sentinel = rueidis.SentinelOption{
		MasterSet: r.value("sentinel_master", s.SentinelMaster),
		Username:  r.value("sentinel_username", s.SentinelUsername), Password: r.value("sentinel_password", s.SentinelPassword),
		Dialer: option.Dialer, ClientName: clientName, TopologyRefreshInterval: topologyInterval,
	}
	for _, given := range s.Addresses {
		address := r.value("addresses", given)
		r.keep(checkAddress(address))
		option.InitAddress = append(option.InitAddress, address)
	}
	option.TLSConfig = s.tlsConfig(&r)
	option.Sentinel.TLSConfig = option.TLSConfig
	r.keep(s.checkTogether())
	return option, fmt.Sprintf("%x %d %t %t", r.digest.Sum(nil), s.Database, s.TLS, s.TLSInsecureSkipVerify), r.err
}

// checkTogether checks what one option means for another.
func (s *Store) checkTogether() error {
	switch {
	case len(s.Addresses) == 0:
		return errors.New("addresses: must be given")
	case s.SentinelMaster == "" && (s.SentinelUsername != "" || s.SentinelPassword != ""):
		return errors.New("sentinel_username, sentinel_password: given without sentinel_master")
	case s.Username != "" && s.Password == "":
		return fmt.Errorf("username: '%s' is given without password", s.Username)
	case s.SentinelUsername != "" && s.SentinelPassword == "":
		return fmt.Errorf("sentinel_username: '%s' is given without sentinel_password", s.SentinelUsername)
	case s.Database != 0 && s.SentinelMaster == "" && len(s.Addresses) > 1:
		return fmt.Errorf("database: %d, but with several addresses, which are those of a cluster, there is only 0", s.Database)
	}
	return nil
}

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !parse.IsHost(host) {
		return fmt.Errorf("addresses: '%s' is not host:port", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("addresses: '%s' has no port from 1 to 65535", address)
	}
	return nil
}

// tlsConfig returns nil without TLS.
func (s *Store) tlsConfig(r *reader) *tls.Config {
	ca, certificate, key := r.file("tls_ca", s.TLSCA), r.file("tls_certificate", s.TLSCertificate), r.file("tls_key", s.TLSKey)
	config := &tls.Config{ServerName: r.value("tls_server_name", s.TLSServerName), InsecureSkipVerify: s.TLSInsecureSkipVerify}
	if !s.TLS {
		r.keep(s.checkNoTLS())
		return nil
	}
	if s.TLSCA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			r.keep(fmt.Errorf("tls_ca: '%s' has no certificate", s.TLSCA))
		}
	}
	switch {
	case (s.TLSCertificate == "") != (s.TLSKey == ""):
		r.keep(errors.New("tls_certificate, tls_key: one is given without the other"))
	case s.TLSCertificate != "":
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			r.keep(fmt.Errorf("tls_certificate '%s', tls_key '%s': %w", s.TLSCertificate, s.TLSKey, err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// checkNoTLS returns an error if there is an option that means something with TLS only.
func (s *Store) checkNoTLS() error {
	for _, option := range []struct {
		name  string
		given bool
	}{
		{"tls_ca", s.TLSCA != ""},
		{"tls_server_name", s.TLSServerName != ""},
		{"tls_certificate", s.TLSCertificate != ""},
		{"tls_key", s.TLSKey != ""},
		{"tls_insecure_skip_verify", s.TLSInsecureSkipVerify},
	} {
		if option.given {
			return fmt.Errorf("%s: given without tls", option.name)
		}
	}
	return nil
}

// A reader reads what options stand for, and keeps the first error. The digest is of all that was read.
type reader struct {
	placeholders *caddy.Replacer
	digest       hash.Hash
	err          error
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// value returns the value of an option with its global placeholders replaced.
func (r *reader) value(option, value string) string {
	value, err := r.placeholders.ReplaceOrErr(value, true, true)
	if err != nil {
		r.keep(fmt.Errorf("%s: %w", option, err))
	}
	fmt.Fprintf(r.digest, "%s %q\n", option, value)
	return value
}

// file returns the content of the file that an option names, if it does.
func (r *reader) file(option, path string) []byte {
	if path = r.value(option, path); path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.keep(fmt.Errorf("%s: %w", option, err))
	}
	fmt.Fprintf(r.digest, "%q\n", content)
	return content
}

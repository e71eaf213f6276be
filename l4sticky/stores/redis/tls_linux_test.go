package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// An authority signs certificates.
type authority struct {
	t           testing.TB
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, folder: t.TempDir()}
	a.certificate, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes a certificate and its key into files of that name, signed by the authority, or by itself if it is the first one.
func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, a.folder, name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(a.t, a.folder, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return issued, key
}

func (a *authority) path(name string) string { return filepath.Join(a.folder, name) }

func TestTLS(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	a.issue("server", &x509.Certificate{DNSNames: []string{"redis.internal"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a.issue("client", &x509.Certificate{})
	s := newServer(t, "redis-server")
	s.args = []string{
		"--port", "0", "--tls-port", fmt.Sprint(s.port), "--tls-cert-file", a.path("server.crt"), "--tls-key-file", a.path("server.key"),
		"--tls-ca-cert-file", a.path("ca.crt"),
	}
	s.start()
	pair := fmt.Sprintf(`"tls_certificate": "%s", "tls_key": "%s"`, a.path("client.crt"), a.path("client.key"))
	for options, works := range map[string]bool{
		`"tls_ca": "` + a.path("ca.crt") + `", ` + pair:                                          true,
		`"tls_ca": "` + a.path("ca.crt") + `", "tls_server_name": "redis.internal", ` + pair:     true,
		`"tls_ca": "` + a.path("ca.crt") + `", "tls_server_name": "other.internal", ` + pair:     false,
		`"tls_ca": "` + stranger.path("ca.crt") + `", ` + pair:                                   false,
		`"tls_ca": "` + stranger.path("ca.crt") + `", "tls_insecure_skip_verify": true, ` + pair: true,
		pair:                                   false,
		`"tls_ca": "` + a.path("ca.crt") + `"`: false, // the server wants to know its clients
	} {
		store := open(t, `{"tls": true, `+options+`}`, s)
		if !works {
			mustFail(t, store, errConnecting.Error())
			continue
		}
		if err := try(soon(t), store); err != nil {
			t.Errorf("%s: %v", options, err)
		}
		listen(t, store, "default", "n2").end()
	}
	if plain := open(t, "", s); try(soon(t), plain) == nil {
		t.Error("no error without TLS")
	}
}

// A certificate that was renewed is used after a reload.
func TestRenewedFilesAreOtherOptions(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	options := fmt.Sprintf(`{"addresses": ["127.0.0.1:1"], "tls": true, "tls_ca": "%s"}`, a.path("ca.crt"))
	first, second := open(t, options), open(t, options)
	if first.connection != second.connection {
		t.Error("the same options have two connections")
	}
	a.issue("ca", &x509.Certificate{IsCA: true})
	if third := open(t, options); third.connection == first.connection {
		t.Error("another certificate has the same connection")
	}
}

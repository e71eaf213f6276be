package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// newCertificate returns a certificate for names below example.com, which signs itself and whose serial number is the one in caddy-l4's
// test configs, and both it and its key in PEM.
func newCertificate(t testing.TB) (certificate *x509.Certificate, inPEM, keyInPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(123456789012),
		DNSNames:     []string{"*.example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	inPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return certificate, inPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// writeCertificate writes such a certificate and its key into a folder, as redis.crt and redis.key.
func writeCertificate(t testing.TB, folder string) {
	t.Helper()
	_, certificate, key := newCertificate(t)
	for name, content := range map[string][]byte{"redis.crt": certificate, "redis.key": key} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// withCertificate returns the JSON of a Caddyfile with such a certificate, and what a client needs to trust it.
func withCertificate(t testing.TB, caddyfile string) (config string, trust *x509.CertPool) {
	t.Helper()
	certificate, inPEM, keyInPEM := newCertificate(t)
	trust = x509.NewCertPool()
	trust.AddCert(certificate)

	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	var root struct {
		Apps object `json:"apps"`
	}
	if err := json.Unmarshal(adapted, &root); err != nil {
		t.Fatal(err)
	}
	root.Apps["tls"] = object{"certificates": object{"load_pem": []object{{
		"certificate": string(inPEM),
		"key":         string(keyInPEM),
	}}}}
	whole, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(whole), trust
}

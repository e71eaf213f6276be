package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// withCertificate returns the JSON of a Caddyfile, with a certificate for names below example.com whose serial number
// is the one in caddy-l4's test configs, and what a client needs to trust it.
func withCertificate(t testing.TB, caddyfile string) (config string, trust *x509.CertPool) {
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
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trust = x509.NewCertPool()
	trust.AddCert(certificate)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

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
		"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"key":         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
	}}}}
	whole, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(whole), trust
}

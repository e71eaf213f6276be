package embedded

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// httpError makes an error of Go's HTTP client what Node's says.
func (e *engine) httpError(err error) goja.Value {
	var (
		name      *net.DNSError
		operation *net.OpError
		malformed = strings.Contains(err.Error(), "malformed HTTP")
		overflow  = strings.Contains(err.Error(), "server response headers exceeded")
	)
	if errors.As(err, &name) {
		return e.dnsError(err, "getaddrinfo", name.Name)
	}
	if code, message := tlsFault(err); code != "" {
		return e.codedError("Error", code, message)
	}
	if code, _, number := errnoOf(err); code != "" && errors.As(err, &operation) {
		return e.connectionError(operation, code, number)
	}
	switch {
	case malformed:
		return e.codedError("Error", "HPE_INVALID_CONSTANT", "Parse Error: Expected HTTP/, RTSP/ or ICE/")
	case overflow:
		return e.codedError("Error", "HPE_HEADER_OVERFLOW", "Parse Error: Header overflow")
	case errors.Is(err, errLongAnswer):
		return e.codedError("Error", "ERR_OUT_OF_RANGE", err.Error())
	}
	return e.codedError("Error", "ECONNRESET", "socket hang up")
}

// connectionError is an error of the system with a connection.
func (e *engine) connectionError(operation *net.OpError, code string, number int) goja.Value {
	call := operation.Op
	message := call + " " + code
	var address string
	var port int
	if call == "dial" {
		call = "connect"
		message = call + " " + code
		if operation.Addr != nil {
			address = operation.Addr.String()
			message += " " + address
		}
		if tcp, ok := operation.Addr.(*net.TCPAddr); ok {
			address, port = tcp.IP.String(), tcp.Port
			if tcp.IP.To4() == nil {
				message = strings.NewReplacer("[", "", "]", "").Replace(message)
			}
		}
	}
	object := e.makeError("Error", message)
	_ = object.Set("errno", number)
	_ = object.Set("code", code)
	_ = object.Set("syscall", call)
	if address != "" {
		_ = object.Set("address", address)
	}
	if port != 0 {
		_ = object.Set("port", port)
	}
	return object
}

// tlsFault returns the code and the words that OpenSSL and Node have for what is wrong with a certificate or the protocol.
func tlsFault(err error) (code, message string) {
	var (
		verification *tls.CertificateVerificationError
		invalid      x509.CertificateInvalidError
		host         x509.HostnameError
		unknown      x509.UnknownAuthorityError
		record       tls.RecordHeaderError
		alert        tls.AlertError
	)
	switch {
	case errors.As(err, &host):
		return "ERR_TLS_CERT_ALTNAME_INVALID", "Hostname/IP does not match certificate's altnames: " + altnames(host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if time.Now().Before(invalid.Cert.NotBefore) {
			return "CERT_NOT_YET_VALID", "certificate is not yet valid"
		}
		return "CERT_HAS_EXPIRED", "certificate has expired"
	case errors.As(err, &unknown):
		var chain []*x509.Certificate
		if errors.As(err, &verification) {
			chain = verification.UnverifiedCertificates
		}
		switch {
		case len(chain) > 0 && selfSigned(chain[0]):
			return "DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"
		case slices.ContainsFunc(chain, selfSigned):
			return "SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"
		case len(chain) > 1:
			return "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate"
		}
		return "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"
	case errors.As(err, &invalid):
		return "CERT_REJECTED", invalid.Error()
	case errors.As(err, &record), errors.As(err, &alert), strings.Contains(err.Error(), "tls: "),
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "EPROTO", "write EPROTO " + err.Error()
	}
	return "", ""
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// altnames says how a host differs from those of a certificate, as Node's tls.checkServerIdentity does.
func altnames(fault x509.HostnameError) string {
	if net.ParseIP(fault.Host) != nil {
		var list []string
		for _, ip := range fault.Certificate.IPAddresses {
			list = append(list, ip.String())
		}
		return "IP: " + fault.Host + " is not in the cert's list: " + strings.Join(list, ", ")
	}
	var list []string
	for _, name := range fault.Certificate.DNSNames {
		list = append(list, "DNS:"+name)
	}
	for _, ip := range fault.Certificate.IPAddresses {
		list = append(list, "IP Address:"+ip.String())
	}
	if len(list) == 0 {
		return "Host: " + fault.Host + ". is not cert's CN: " + fault.Certificate.Subject.CommonName
	}
	return "Host: " + fault.Host + ". is not in the cert's altnames: " + strings.Join(list, ", ")
}

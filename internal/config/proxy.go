package config

import (
	"cmp"
	"crypto/x509"
	"net/url"
	"os"
	"slices"
	"strings"
)

// proxies objects to a proxy that net/http could not use: it ignores one that
// it cannot parse, and requests would go out past it.
func (p *problems) proxies(variables map[string]string) {
	for _, names := range [][2]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}} {
		for _, name := range names {
			value := variables[name]
			if value == "" {
				continue
			}
			if !isProxy(value) {
				p.add(name, "must be the address of a proxy such as http://proxy.example.com:3128, with http, https, socks5 or socks5h")
			}
			break // the name in upper case comes first
		}
	}
}

func isProxy(address string) bool {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// unheededVariables warns of variables that other programs heed and that have
// no effect, or not the one that is meant.
func unheededVariables(variables map[string]string) (warnings []string) {
	if cmp.Or(variables["HTTPS_PROXY"], variables["https_proxy"]) == "" {
		for _, name := range []string{"ALL_PROXY", "all_proxy"} {
			if variables[name] != "" {
				warnings = append(warnings, name+": has no effect; set HTTPS_PROXY")
			}
		}
	}
	if path := variables["SSL_CERT_FILE"]; path != "" {
		switch authorities, err := os.ReadFile(path); {
		case err != nil:
			warnings = append(warnings, "SSL_CERT_FILE: the certificate authorities cannot be read: "+err.Error())
		case !x509.NewCertPool().AppendCertsFromPEM(authorities):
			warnings = append(warnings, "SSL_CERT_FILE: there is no certificate in the file")
		}
	}
	return warnings
}

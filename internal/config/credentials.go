package config

import (
	"strings"

	"yativo-card-exporter/apiclient"
)

// credentials objects to anything but a key with its secret, or a static token.
func (p *problems) credentials(c Config) {
	switch key, secret, token := c.APIKey.IsSet(), c.APISecret.IsSet(), c.AccessToken.IsSet(); {
	case token && (key || secret):
		p.add("YATIVO_ACCESS_TOKEN", "cannot be set together with YATIVO_API_KEY and YATIVO_API_SECRET; set one or the other")
	case !token && !key && !secret:
		p.add("YATIVO_API_KEY and YATIVO_API_SECRET", "must be set, or YATIVO_ACCESS_TOKEN in their place")
	case !token && !key:
		p.add("YATIVO_API_KEY", "must be set together with YATIVO_API_SECRET")
	case !token && !secret:
		p.add("YATIVO_API_SECRET", "must be set together with YATIVO_API_KEY")
	}
}

func (p *problems) secret(variable, value, path string) apiclient.Secret {
	if value != "" && path != "" {
		p.add(variable, "cannot be set together with %s_FILE; set one or the other", variable)
		return apiclient.SecretValue(value)
	}
	secret := apiclient.SecretValue(value)
	if path != "" {
		secret, variable = apiclient.SecretFile(path), variable+"_FILE"
	}
	if secret.IsSet() {
		switch value, err := secret.Reveal(); {
		case err != nil:
			p.add(variable, "%v", err)
		case isQuoted(value):
			p.add(variable, "the secret is in quotes, which would be part of the value; leave them out")
		case len(value) > len(bearer) && strings.EqualFold(value[:len(bearer)], bearer):
			p.add(variable, "begins with %q, which the exporter adds itself; leave it out", bearer)
		}
	}
	return secret
}

// bearer stands before the token in a request's header.
const bearer = "Bearer "

// secretVariables are those whose values are secrets.
func secretVariables() []string {
	return []string{"YATIVO_API_KEY", "YATIVO_API_SECRET", "YATIVO_ACCESS_TOKEN"}
}

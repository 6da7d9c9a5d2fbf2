package phonesim

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

const masked = "********"

// printChanges shows how a new configuration differs from the one the phone
// has: "- name = value" is gone, "+ name = value" is new. An empty value is
// the same as none. The first configuration is not shown.
func (p *Phone) printChanges(next settings) {
	if p.config == nil {
		return
	}
	hide := p.masker(next)
	names := maps.Clone(p.config)
	maps.Copy(names, next)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := p.config[name], next[name]
		if was == is {
			continue
		}
		if was != "" {
			p.out.printf("- %s = %s", name, hide(name, was))
		}
		if is != "" {
			p.out.printf("+ %s = %s", name, hide(name, is))
		}
	}
}

// masker hides what must not be printed: the value of the line's password and
// of every parameter called a password, any of these secrets inside another
// value, and what a URL carries besides its host.
func (p *Phone) masker(next settings) func(name, value string) string {
	own := strings.Fields(p.script.Settings.Password + " " + p.script.Settings.Secrets)
	secrets := []string{p.fetch.password.Reveal()}
	for _, name := range own {
		secrets = append(secrets, p.config[name], next[name])
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
	return func(name, value string) string {
		if slices.Contains(own, name) || isSecretName(name) {
			return masked
		}
		if scheme, rest, ok := strings.Cut(value, "://"); ok {
			return maskURL(scheme, rest)
		}
		if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(value, s) }) {
			return masked
		}
		return value
	}
}

// isSecretName reports whether a parameter's name says that its value is secret.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"pass", "pswd", "secret", "token"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// maskURL keeps a URL's scheme and host: a path may be a secret, and so is
// userinfo.
func maskURL(scheme, rest string) string {
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || u.Host == "" {
		return scheme + "://" + masked
	}
	if strings.Trim(u.Path, "/") == "" && u.User == nil && u.RawQuery == "" {
		return u.String()
	}
	return u.Scheme + "://" + u.Host + "/" + masked
}

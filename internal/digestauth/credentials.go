package digestauth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/icholy/digest"
)

var errCredentials = errors.New("no digest credentials")

// ParseCredentials reads the value of an Authorization header. It takes what
// digest.ParseCredentials takes, without a buffer for each: registrations bring
// thousands a second.
func ParseCredentials(header string) (*digest.Credentials, error) {
	rest, ok := digest.CutPrefix(header)
	if !ok {
		return nil, errCredentials
	}
	var c digest.Credentials
	for rest = strings.TrimSpace(rest); rest != ""; {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, errCredentials
		}
		value, after, err := cutValue(strings.TrimSpace(after))
		if err != nil {
			return nil, err
		}
		if err := set(&c, strings.TrimSpace(name), value); err != nil {
			return nil, err
		}
		after = strings.TrimSpace(after)
		if rest, ok = strings.CutPrefix(after, ","); !ok && after != "" {
			return nil, errCredentials
		}
	}
	return &c, nil
}

// cutValue takes the value from the beginning of a list, without its quotes.
func cutValue(list string) (value, rest string, err error) {
	if !strings.HasPrefix(list, `"`) {
		end := strings.IndexByte(list, ',')
		if end < 0 {
			end = len(list)
		}
		return strings.TrimSpace(list[:end]), list[end:], nil
	}
	list = list[1:]
	end := strings.IndexAny(list, `"\`)
	if end >= 0 && list[end] == '"' {
		return list[:end], list[end+1:], nil
	}
	return cutEscaped(list)
}

// cutEscaped takes the rest of a quoted value in which characters are escaped.
func cutEscaped(list string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '"':
			return b.String(), list[i+1:], nil
		case list[i] == '\\' && i+1 < len(list):
			i++
		}
		b.WriteByte(list[i])
	}
	return "", "", errCredentials
}

// set takes one parameter; those that nobody knows are left out.
func set(c *digest.Credentials, name, value string) error {
	switch name {
	case "username":
		c.Username = value
	case "realm":
		c.Realm = value
	case "nonce":
		c.Nonce = value
	case "uri":
		c.URI = value
	case "response":
		c.Response = value
	case "algorithm":
		c.Algorithm = value
	case "cnonce":
		c.Cnonce = value
	case "opaque":
		c.Opaque = value
	case "qop":
		c.QOP = value
	case "nc":
		count, err := strconv.ParseInt(value, 16, 32)
		if err != nil {
			return fmt.Errorf("nc: %w", errCredentials)
		}
		c.Nc = int(count)
	case "userhash":
		c.Userhash = strings.EqualFold(value, "true")
	}
	return nil
}

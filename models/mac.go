package models

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// A MAC is a phone's 48-bit hardware address. It is an array, so == means
// "same phone" and it can key a map. Its text form everywhere (database, URLs,
// logs) is 12 lower-case hex digits: "001565aabbcc".
type MAC [6]byte

// ParseMAC reads any spelling that CleanMAC reduces to 12 hex digits:
// 001565AABBCC, 00:15:65:aa:bb:cc, 0015.65aa.bbcc. The rest is ErrInvalid.
func ParseMAC(s string) (MAC, error) {
	var mac MAC
	clean := CleanMAC(s)
	if len(clean) != 2*len(mac) {
		return MAC{}, fmt.Errorf("%w MAC %q: want 12 hex digits", ErrInvalid, s)
	}
	if _, err := hex.Decode(mac[:], []byte(clean)); err != nil {
		return MAC{}, fmt.Errorf("%w MAC %q: %w", ErrInvalid, s, err)
	}
	return mac, nil
}

func (m MAC) String() string { return hex.EncodeToString(m[:]) }

// Colons is the spelling of User-Agent headers: "00:15:65:aa:bb:cc".
func (m MAC) Colons() string {
	parts := make([]string, len(m))
	for i, b := range m {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}

// Next is the MAC numbered one higher, as manufacturers assign them.
func (m MAC) Next() MAC {
	for i := len(m) - 1; i >= 0; i-- {
		m[i]++
		if m[i] != 0 {
			break
		}
	}
	return m
}

// CleanMAC is Kazoo's cleaning of a mac_address: everything outside 0-9a-fA-F
// is dropped and the rest lower-cased. An empty result means "no MAC".
func CleanMAC(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'f':
			return r
		case r >= 'A' && r <= 'F':
			return r + ('a' - 'A')
		}
		return -1
	}, s)
}

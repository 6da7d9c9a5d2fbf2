package main

import (
	"net"
	"strings"
	"testing"
)

func TestPhonesURL(t *testing.T) {
	tests := []struct{ url, http, https, want string }{
		{"https://phones.example.com/", "127.0.0.1:80", "", "https://phones.example.com"},
		{"", "127.0.0.1:8080", "127.0.0.1:8443", "http://127.0.0.1:8080"},
		{"", "", "phones.example.com:8443", "https://phones.example.com:8443"},
		{"", "[::1]:8080", "", "http://[::1]:8080"},
		{"", "127.0.0.1:0", "", ""}, // only the running server knows its port
		{"", "", "", ""},
	}
	for _, tt := range tests {
		c := Config{}
		c.Phones.URL = tt.url
		if got, err := phonesURL(c, tt.http, tt.https); err != nil || got != tt.want {
			t.Errorf("phonesURL(%q, %q, %q): got %q, %v, want %q", tt.url, tt.http, tt.https, got, err, tt.want)
		}
	}
	// A listener on all addresses is known by one that others can reach.
	got, err := phonesURL(Config{}, ":8080", "")
	host, port, splitErr := net.SplitHostPort(strings.TrimPrefix(got, "http://"))
	if err != nil || splitErr != nil || port != "8080" || net.ParseIP(host) == nil || net.ParseIP(host).IsUnspecified() {
		t.Errorf("phonesURL of all addresses: got %q, %v", got, err)
	}
}

func TestRegistrar(t *testing.T) {
	tests := []struct {
		registrar, proxy, base string
		port                   uint16
		want                   string
	}{
		{"sip.example.com", "proxy.example.com", "http://192.0.2.1:8080", 5060, "sip.example.com"},
		{"", "proxy.example.com:5070;transport=tcp", "http://192.0.2.1:8080", 5060, "proxy.example.com:5070"},
		{"", "", "http://192.0.2.1:8080", 5060, "192.0.2.1:5060"},
		{"", "", "https://[2001:db8::1]:8443", 5062, "[2001:db8::1]:5062"},
		{"", "", "http://192.0.2.1:8080", 0, ""}, // no SIP here: the realm's DNS tells
		{"", "", "", 5060, ""},
	}
	for _, tt := range tests {
		c := Config{}
		c.SIP.Registrar, c.SIP.Proxy = tt.registrar, tt.proxy
		if got := registrar(c, tt.base, tt.port); got != tt.want {
			t.Errorf("registrar(%q, %q, %q, %d): got %q, want %q", tt.registrar, tt.proxy, tt.base, tt.port, got, tt.want)
		}
	}
}

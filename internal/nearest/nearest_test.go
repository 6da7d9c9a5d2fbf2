package nearest_test

import (
	"testing"

	"dialtone/internal/nearest"
)

func TestOf(t *testing.T) {
	known := []string{"device", "account", "owner", "lines"}
	tests := []struct{ word, want string }{
		{"devise", "device"},
		{"device", "device"},
		{"acount", "account"},
		{"ower", "owner"},
		{"line", "lines"},
		{"frobnicate", ""},
		{"x", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := nearest.Of(tt.word, known); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.word, got, tt.want)
		}
	}
	if got := nearest.Hint("devise", known); got != "did you mean device?" {
		t.Errorf("got %q", got)
	}
	if got := nearest.Hint("frobnicate", known); got != "" {
		t.Errorf("got %q", got)
	}
}

package sip

import (
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// news is what a phone tells about a call that it was asked to place.
type news struct {
	hungUp bool // it ended the call that asked it
	code   int  // SIP status of the other call, 0 when it does not say
	reason string
	last   bool // it will tell no more
}

// isFinal reports whether the outcome of the other call is known.
func (n news) isFinal() bool { return n.code >= sipmsg.StatusOK }

// parseReferNews reads a NOTIFY of a phone that was sent a REFER (RFC 3515,
// section 2.4.4). False when it is about something else.
func parseReferNews(req *sipmsg.Request) (news, bool) {
	event, _, _ := strings.Cut(strings.Join(headerValues(req, "event", "o"), ","), ";")
	if !strings.EqualFold(strings.TrimSpace(event), "refer") {
		return news{}, false
	}
	state, _, _ := strings.Cut(strings.Join(headerValues(req, "subscription-state"), ","), ";")
	n := news{last: strings.EqualFold(strings.TrimSpace(state), "terminated")}
	n.code, n.reason = parseSipfrag(req.Body())
	return n, true
}

// parseSipfrag reads the status line that a message/sipfrag begins with; 0 when
// it begins with anything else.
func parseSipfrag(body []byte) (code int, reason string) {
	line, _, _ := strings.Cut(string(body), "\n")
	version, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	digits, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !strings.EqualFold(version, sipVersion) || len(digits) != 3 || digits[0] < '1' || digits[0] > '6' {
		return 0, ""
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, ""
		}
		code = code*10 + int(c-'0')
	}
	return code, clip(strings.Map(dropControl, strings.TrimSpace(reason)))
}

package sip

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Bounds on a message, whatever it says.
const (
	maxMessage = 8 << 10 // bytes, body included
	maxHeaders = 128     // lines before the body
	maxLine    = 4 << 10 // bytes of one of these
)

// errFrame means that a message is larger than any phone's, or that its end
// cannot be found.
var errFrame = errors.New("no message within the limits")

// frameLength is the length of the message that a stream begins with, 0 while
// more of it is to come. Streams need a Content-Length (RFC 3261, section 18.3).
func frameLength(stream []byte) (int, error) {
	end := bytes.Index(stream, []byte("\r\n\r\n"))
	if end < 0 {
		if len(stream) >= maxMessage {
			return 0, errFrame
		}
		return 0, checkHead(stream)
	}
	head := stream[:end+2]
	if err := checkHead(head); err != nil {
		return 0, err
	}
	body, ok := contentLength(head)
	length := end + 4 + body
	switch {
	case !ok || length > maxMessage:
		return 0, errFrame
	case length > len(stream):
		return 0, nil
	}
	return length, nil
}

// checkHead holds the lines of a message, or of its beginning, to their bounds.
func checkHead(head []byte) error {
	count := 0
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		count++
		if len(line) > maxLine || count > maxHeaders {
			return errFrame
		}
	}
	return nil
}

// contentLength reads the one Content-Length among a message's lines; false when
// there is none, or several, or something else than a number.
func contentLength(head []byte) (int, bool) {
	found, value := 0, ""
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(head))
	for line := range strings.SplitSeq(unfolded, "\r\n") {
		name, text, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); ok && (strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "l")) {
			found++
			value = strings.TrimSpace(text)
		}
	}
	n, err := strconv.ParseUint(value, 10, 16)
	return int(n), found == 1 && err == nil
}

// isDatagram reports whether a datagram may be a SIP message within the limits.
// Keep-alives, STUN and noise are none.
func isDatagram(b []byte) bool {
	if len(b) == 0 || len(b) >= maxMessage || !isLetter(b[0]) {
		return false
	}
	head := b
	if end := bytes.Index(b, []byte("\r\n\r\n")); end >= 0 {
		head = b[:end+2]
	}
	return checkHead(head) == nil
}

func isLetter(b byte) bool { return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' }

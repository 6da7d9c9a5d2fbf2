package sip

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const (
	sdpType     = "application/sdp"
	maxSections = 16 // media sections of an offer
)

// sdpOffer describes a call without media: phones take part in it, and nobody
// sends anything. It names the codecs that phones have, since one that has none
// in common refuses the call.
func sdpOffer(local netip.Addr) []byte {
	return []byte(sdpHead(local) + strings.Join([]string{
		"m=audio 9 RTP/AVP 0 8 9 18 96 101",
		"a=rtpmap:0 PCMU/8000",
		"a=rtpmap:8 PCMA/8000",
		"a=rtpmap:9 G722/8000",
		"a=rtpmap:18 G729/8000",
		"a=rtpmap:96 opus/48000/2",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-15",
		"a=inactive",
		"",
	}, "\r\n"))
}

func sdpHead(local netip.Addr) string {
	family := "IP4"
	if local.Is6() {
		family = "IP6"
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN %[1]s %[2]s\r\ns=-\r\nc=IN %[1]s %[2]s\r\nt=0 0\r\n", family, local)
}

// sdpAnswer takes what a phone offers while it is called, still without media:
// plain audio, and nothing of the rest. False when that leaves nothing.
func sdpAnswer(offer []byte, local netip.Addr) ([]byte, bool) {
	_, media, _ := strings.Cut("\n"+strings.ReplaceAll(string(offer), "\r", ""), "\nm=")
	sections := strings.Split(media, "\nm=")
	if len(sections) > maxSections {
		return nil, false
	}
	answer, taken := sdpHead(local), false
	for _, section := range sections {
		lines := strings.Split(section, "\n")
		fields := strings.Fields(lines[0])
		if len(fields) < 4 || !isClean(section[:len(lines[0])]) {
			return nil, false
		}
		port, err := strconv.ParseUint(fields[1], 10, 16)
		if err != nil {
			return nil, false
		}
		if fields[0] != "audio" || fields[2] != "RTP/AVP" || port == 0 {
			answer += fmt.Sprintf("m=%s 0 %s %s\r\n", fields[0], fields[2], strings.Join(fields[3:], " "))
			continue
		}
		taken = true
		answer += fmt.Sprintf("m=audio 9 RTP/AVP %s\r\n", strings.Join(fields[3:], " "))
		for _, line := range lines[1:] {
			if strings.HasPrefix(line, "a=rtpmap:") && isClean(line) {
				answer += line + "\r\n"
			}
		}
		answer += "a=inactive\r\n"
	}
	return []byte(answer), taken
}

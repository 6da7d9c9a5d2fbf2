package sip_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dialtone/models"
)

// A tortuous message is one of RFC 4475's kind, for a registrar: {uri} is the
// registrar, {via} the sender's own Via value with a new branch.
type tortuous struct {
	name, text string
	codes      []int // of the answer; 0 = none
}

// The valid ones must be understood. The device is known by its address, so that
// a REGISTER that is understood is carried out.
var valid = []tortuous{
	{"3.1.1.1 tortuous headers", `REGISTER sip:example.com;unknownparam SIP/2.0
TO :
 sip:user@example.com;tag=1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>;tag=98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 0
cseq: 0009
  REGISTER
v: {via}
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33`, []int{200}},
	{"3.1.1.1 blanks around tags", `REGISTER sip:example.com;unknownparam SIP/2.0
TO :
 sip:user@example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 0
cseq: 0009
  REGISTER
v: {via}
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33`, []int{200, 400}},
	// The stack wants no blanks there, and fewer odd characters in URIs and methods
	// than the RFC allows. No phone writes them.
	{"3.1.1.2 wide range of characters", `!interesting-Method0123456789_*+` + "`" + `.%indeed'~ {uri} SIP/2.0
Via: {via}
To: "BEL:\ NUL:\ DEL:\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~` + "`" + ` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="работающий";tag=_token~1'+` + "`" + `*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word` + "`" + `~)(><:\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+` + "`" + `.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_` + "`" + `'~:大停電
Content-Length: 0`, []int{0, 405}},
	{"3.1.1.3 escapes in a URI", `REGISTER {uri} SIP/2.0
Via: {via}
Max-Forwards: 87
To: <sip:%75se%72@example.com>
From: <sip:I%20have%20spaces@example.net>;tag=938
Call-ID: esc01
CSeq: 234234 REGISTER
Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: 0`, []int{200}},
	{"3.1.1.4 escaped nulls", `REGISTER {uri} SIP/2.0
Via: {via}
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull
CSeq: 14398234 REGISTER
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
Content-Length: 0`, []int{400, 401}},
	{"3.1.1.5 percent sign that escapes nothing", `RE%47IST%45R {uri} SIP/2.0
Via: {via}
To: "%Z%45" <sip:user@example.com>
From: "%Z%45" <sip:user@example.com>;tag=f232jadfj23
Call-ID: esc02
Max-Forwards: 70
CSeq: 29344 RE%47IST%45R
Contact: <sip:alias1@host1.example.com>
Content-Length: 0`, []int{405}},
	{"3.1.1.6 no blank after a display name", `REGISTER {uri} SIP/2.0
Via: {via}
To: <sip:user@example.com>
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp
CSeq: 60 REGISTER
Contact: caller<sip:caller@example.com>
Content-Length: 0`, []int{200}},
	{"3.1.1.7 long values", `REGISTER {uri} SIP/2.0
Via: {via}
To: "I have a user name of ` + strings.Repeat("extreme ", 10) + `proportion"<sip:user@example.com:6000;unknownparam1=very` + strings.Repeat("long", 20) + `value;unknownParamNoValue>
F: sip:` + strings.Repeat("amazinglylongcallername", 5) + `@example.net;tag=12` + strings.Repeat("982", 50) + `424;unknownheaderparam` + strings.Repeat("name", 20) + `=unknowheaderparam` + strings.Repeat("value", 15) + `;unknownValuelessparam` + strings.Repeat("name", 10) + `
Call-ID: longreq.one` + strings.Repeat("really", 20) + `longcallid
CSeq: 3882340 REGISTER
Unknown-` + strings.Repeat("Long", 20) + `-Name: unknown-` + strings.Repeat("long", 20) + `-value; unknown-` + strings.Repeat("long", 20) + `-parameter-name = unknown-` + strings.Repeat("long", 20) + `-parameter-value
Via: SIP/2.0/TCP sip33.example.com
v: SIP/2.0/TCP sip32.example.com
V: SIP/2.0/TCP sip31.example.com
Via: SIP/2.0/TCP sip30.example.com, SIP/2.0/TCP sip29.example.com,
 SIP/2.0/TCP sip28.example.com
Max-Forwards: 70
Contact: <sip:` + strings.Repeat("amazinglylongcallername", 5) + `@host5.example.net>
Content-Length: 0`, []int{200}},
	{"3.1.1.8 more behind the message", `REGISTER {uri} SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: {via}
Content-Length: 0

INVITE sip:joe@example.com SIP/2.0
t: sip:joe@example.com
From: sip:caller@example.net;tag=141334
CSeq: 8 INVITE

v=0`, []int{200}},
	{"3.1.1.9 semicolons in a user", `OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0isndaksdj
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
 multipart/mixed, multipart/signed, message/sip, message/sipfrag
Via: {via}
l: 0`, []int{200}},
	{"3.1.1.10 many transports", `OPTIONS {uri} SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: transports.kijh4akdnaqjkwendsasfdj
Accept: application/sdp
CSeq: 60 OPTIONS
Via: {via}
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0`, []int{200}},
	{"3.1.1.12 unusual reason", "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\nVia: {via}\nCall-ID: unreason\nCSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=11141343\nTo: <sip:user@example.edu>;tag=2229\nContent-Length: 0", []int{0}},
	{"3.1.1.13 no reason", "SIP/2.0 100 \nVia: {via}\nCall-ID: noreason\nCSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=11141343\nTo: <sip:user@example.edu>;tag=2229\nContent-Length: 0", []int{0}},
	{"3.3.6 unknown content", `INVITE {uri} SIP/2.0
Max-Forwards: 70
To: sip:user@example.com
From: sip:caller@example.net;tag=8392034
CSeq: 235448 INVITE
Via: {via}
Call-ID: invut.0ha0isndaksdjadsfij34n23d
Content-Type: application/unknownformat
Content-Length: 0`, []int{405}},
	{"3.3.7 unknown authorization scheme", `REGISTER {uri} SIP/2.0
To: sip:nobody@example.com
From: sip:nobody@example.com;tag=87321hj23128
Max-Forwards: 8
Call-ID: regaut01.0ha0isndaksdj
CSeq: 9338 REGISTER
Via: {via}
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length:0`, []int{401}},
	{"3.3.12 no hops left", `REGISTER {uri} SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=3ghsd41
Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas
CSeq: 39234321 REGISTER
Via: {via}
Max-Forwards: 0
Content-Length: 0`, []int{200}},
	{"3.3.13 unknown parameter of a contact", `REGISTER {uri} SIP/2.0
Via: {via}
Max-Forwards: 70
From: sip:user@example.com;tag=998332
To: sip:user@example.com
Call-ID: cparam01.70710@saturn.example.com
CSeq: 2 REGISTER
Contact: sip:+19725552222@gw1.example.net;unknownparam
Content-Length: 0`, []int{200}},
	{"3.3.14 unknown parameter of a URI", `REGISTER {uri} SIP/2.0
Via: {via}
Max-Forwards: 70
From: sip:user@example.com;tag=838293
To: sip:user@example.com
Call-ID: cparam02.70710@saturn.example.com
CSeq: 3 REGISTER
Contact: <sip:+19725552222@gw1.example.net;unknownparam>
Content-Length: 0`, []int{200}},
	{"3.3.15 headers in a contact", `REGISTER {uri} SIP/2.0
Via: {via}
Max-Forwards: 70
From: sip:user@example.com;tag=8
To: sip:user@example.com
Call-ID: regescrt.k345asrl3fdbv@192.0.2.1
CSeq: 14398234 REGISTER
M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>
L:0`, []int{200}},
}

// The others are refused, or dropped where no answer could be right.
var invalid = []tortuous{
	{"3.1.2.1 separators too many", `REGISTER {uri} SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 REGISTER
Via: {via}
Contact: "Joe" <sip:joe@example.org>;;;;, <
Content-Length: 0`, []int{400}},
	{"3.1.2.2 body shorter than said", `REGISTER {uri} SIP/2.0
Max-Forwards: 80
To: sip:user@example.com
From: sip:caller@example.net;tag=93942939o2
Contact: <sip:caller@hungry.example.net>
Call-ID: clerr.0ha0isndaksdjweiafasdk3
CSeq: 8 REGISTER
Via: {via}
Content-Length: 9999`, []int{0}},
	{"3.1.2.3 negative length", `REGISTER {uri} SIP/2.0
Max-Forwards: 254
To: sip:user@example.com
From: sip:caller@example.net;tag=32394234
Call-ID: ncl.0ha0isndaksdj2193423r542w35
CSeq: 0 REGISTER
Via: {via}
Content-Length: -999`, []int{0, 400}},
	{"3.1.2.4 scalars too large", `REGISTER {uri} SIP/2.0
Via: {via}
To: <sip:user@example.com>
From: <sip:user@example.com>;tag=239232jh3
CSeq: 36893488147419103232 REGISTER
Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32
Max-Forwards: 300
Expires: 1000000000000000000000000000000000000000
Contact: <sip:user@host129.example.com>;expires=280297596632815
Content-Length: 0`, []int{0, 400}},
	{"3.1.2.6 quote left open", `REGISTER {uri} SIP/2.0
To: "Mr. J. User <sip:user@example.com>
From: sip:caller@example.net;tag=93334
Max-Forwards: 10
Call-ID: quotbal.aksdj
Contact: <sip:caller@host59.example.net>
CSeq: 8 REGISTER
Via: {via}
Content-Length: 0`, []int{0, 400}},
	{"3.1.2.7 brackets around the Request-URI", "REGISTER <{uri}> SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=39291\nMax-Forwards: 23\nCall-ID: ltgtruri.1@192.0.2.5\nCSeq: 1 REGISTER\nVia: {via}\nContent-Length: 0", []int{0, 400, 416}},
	{"3.1.2.8 blank in the Request-URI", "REGISTER sip:example.com; lr SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=39291\nMax-Forwards: 23\nCall-ID: lwsruri\nCSeq: 1 REGISTER\nVia: {via}\nContent-Length: 0", []int{0, 400}},
	{"3.1.2.9 blanks in the start line", "REGISTER  {uri}  SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=39291\nMax-Forwards: 23\nCall-ID: lwsstart\nCSeq: 1 REGISTER\nVia: {via}\nContent-Length: 0", []int{0, 400}},
	{"3.1.2.10 blank behind the start line", "OPTIONS {uri} SIP/2.0 \nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=39291\nMax-Forwards: 23\nCall-ID: trws\nCSeq: 1 OPTIONS\nVia: {via}\nContent-Length: 0", []int{0, 400, 505}},
	{"3.1.2.13 contact with a stray question mark", "REGISTER {uri} SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=998332\nMax-Forwards: 70\nCall-ID: regbadct.k345asrl3fdbv@10.0.0.1\nCSeq: 1 REGISTER\nVia: {via}\nContact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\nl: 0", []int{200, 400}},
	{"3.1.2.14 blanks within an address", "REGISTER {uri} SIP/2.0\nTo: \"Watson, Thomas\" < sip:user@example.com >\nFrom: <sip:a.g.bell@example.com>;tag=43\nMax-Forwards: 70\nCall-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3\nCSeq: 3923239 REGISTER\nVia: {via}\nContact: < sip:user@10.0.0.1 >\nl: 0", []int{0, 200, 400, 401}},
	{"3.1.2.16 unknown version", "OPTIONS {uri} SIP/7.0\nVia: {via}\nMax-Forwards: 70\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=34523\nCall-ID: badvers.31417@c.example.com\nCSeq: 1 OPTIONS\nContent-Length: 0", []int{505}},
	{"3.1.2.17 CSeq of another method", "OPTIONS {uri} SIP/2.0\nVia: {via}\nMax-Forwards: 70\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=34525\nCall-ID: mismatch01.dj0234sxdfl3\nCSeq: 8 INVITE\nContent-Length: 0", []int{400}},
	{"3.1.2.18 CSeq of another method, unknown one", "NEWMETHOD {uri} SIP/2.0\nVia: {via}\nMax-Forwards: 6\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=34525\nCall-ID: mismatch02.dj0234sxdfl3\nCSeq: 8 INVITE\nContent-Length: 0", []int{400, 405}},
	{"3.1.2.19 status code too large", "SIP/2.0 4294967301 better not break the receiver\nVia: {via}\nCall-ID: bigcode\nCSeq: 353494 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0", []int{0}},
	{"3.2.1 branch without anything", "OPTIONS {uri} SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.org;tag=33242\nMax-Forwards: 3\nVia: {emptybranch}\nCall-ID: badbranch.sadonfo23i420jv0as0derf3j3n\nCSeq: 8 OPTIONS\nl: 0", []int{0, 200, 400}},
	{"3.3.1 headers missing", "OPTIONS {uri} SIP/2.0\nCSeq: 193942 OPTIONS\nVia: {via}\nContent-Length: 0", []int{400}},
	{"3.3.2 unknown scheme", "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=384\nMax-Forwards: 3\nCall-ID: unkscm.nasdfasser0q239nwsdfasdkl34\nCSeq: 3923423 OPTIONS\nVia: {via}\nContent-Length: 0", []int{416}},
	{"3.3.3 well-known scheme, not of SIP", "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=384\nMax-Forwards: 3\nCall-ID: novelsc.asdfasser0q239nwsdfasdkl34\nCSeq: 3923423 OPTIONS\nVia: {via}\nContent-Length: 0", []int{0, 416}},
	{"3.3.4 unknown scheme in To", "REGISTER {uri} SIP/2.0\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nCall-ID: unksm2.daksdj@hyphenated-host.example.com\nCSeq: 234902 REGISTER\nMax-Forwards: 70\nVia: {via}\nContact: <name:John_Smith>\nl: 0", []int{0, 400}},
	{"3.3.5 unknown extensions", "OPTIONS {uri} SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=242etr\nMax-Forwards: 6\nCall-ID: bext01.0ha0isndaksdj\nRequire: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\nCSeq: 8 OPTIONS\nVia: {via}\nContent-Length: 0", []int{420}},
	{"3.3.8 values that can be only one", "REGISTER {uri} SIP/2.0\nCSeq: 5 REGISTER\nVia: {via}\nCall-ID: multi01.98asdh@192.0.2.1\nCall-ID: multi01.98asdh@192.0.2.2\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=3413415\nTo: sip:other@example.net\nFrom: sip:other@example.net;tag=2923420123\nMax-Forwards: 70\nMax-Forwards: 5\nCSeq: 59 REGISTER\nl: 0", []int{400}},
	{"3.3.9 two lengths", "OPTIONS {uri} SIP/2.0\nVia: {via}\nMax-Forwards: 70\nTo: sip:user@example.com\nFrom: sip:other@example.net;tag=3923942\nCall-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf\nCSeq: 15932 OPTIONS\nContent-Length: 13\nContent-Length: 5\n\nThere's no way to know", []int{0, 400}},
	{"3.3.10 answer to somebody else", "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nCall-ID: bcast.0384840201234ksdfak3j2erwedfsASdf\nCSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\nContent-Length: 0", []int{0}},
	{"3.4.1 of RFC 2543, without branch", `OPTIONS {uri} SIP/2.0
Via: {oldvia}
To: <sip:user@example.com>
From: <sip:caller@example.com>
Call-ID: inv2543.1717@ua.example.com
CSeq: 56 OPTIONS
Content-Length: 0`, []int{400}},
	{"null bytes", "REGISTER {uri} SIP/2.0\nVia: {via}\nTo: <sip:user\x00@example.com>\nFrom: <sip:user@example.com>;tag=1\nCall-ID: nul\x00l\nCSeq: 1 REGISTER\nContact: <sip:a\x00@b>\nContent-Length: 0", []int{0, 400}},
	{"no UTF-8", "REGISTER {uri} SIP/2.0\nVia: {via}\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=1\nCall-ID: utf8\nCSeq: 1 REGISTER\nContact: <sip:\xff\xfe@b>\nContent-Length: 0", []int{400}},
	{"no branch, no host", "REGISTER {uri} SIP/2.0\nVia: SIP/2.0/UDP\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=1\nCall-ID: via\nCSeq: 1 REGISTER\nContent-Length: 0", []int{0, 400}},
	{"only a colon", ":\n:\n:", []int{0}},
}

// bytes are a message as w sends it.
func (m tortuous) bytes(w *wire) string {
	sentBy := fmt.Sprintf("SIP/2.0/%s %s", strings.ToUpper(w.transport), w.LocalAddr())
	if w.transport != "udp" && strings.Contains(m.name, "behind the message") {
		before, _, _ := strings.Cut(m.text, "\n\n") // on a stream that would be another message
		m.text = before
	}
	text := strings.NewReplacer(
		"{uri}", "sip:example.com",
		"{via}", fmt.Sprintf("%s;branch=z9hG4bK.%d;rport", sentBy, serial.Add(1)),
		"{oldvia}", sentBy,
		"{emptybranch}", sentBy+";branch=z9hG4bK;rport",
		"\n", "\r\n",
	).Replace(m.text)
	if strings.Contains(m.text, "\n\n") {
		return text
	}
	return text + "\r\n\r\n"
}

// answerTo is the code of the answer to a message, 0 when there is none: then
// the OPTIONS behind it is answered, or the connection ends.
func answerTo(t *testing.T, w *wire, m tortuous) int {
	t.Helper()
	w.send(t, m.bytes(w))
	if !slices.Contains(m.codes, 0) {
		res, err := w.tryRead(patience)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if !slices.Contains(m.codes, res.code()) {
			t.Log(res)
		}
		return res.code()
	}
	_, _ = io.WriteString(w, optionsOf(w, "behind")) // the connection may have ended
	code := 0
	for answered := false; ; {
		wait := patience
		if answered {
			wait = 20 * time.Millisecond
		}
		res, err := w.tryRead(wait)
		switch {
		case err != nil && !answered && errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatalf("neither answer nor end: %v", err)
		case err != nil:
			return code
		case res.get("Call-ID") == "behind":
			answered = true
		default:
			code = res.code()
		}
	}
}

func optionsOf(w *wire, call string) string {
	return strings.ReplaceAll(register{callID: call, cseq: 1}.text(w, ""), "REGISTER", "OPTIONS")
}

func TestTorture(t *testing.T) {
	o, secure := securely(t, nil)
	p := o.device(t, map[string]any{"username": "user", "realm": "example.com", "method": "ip", "ip": "127.0.0.1"})
	for _, connect := range []func() *wire{func() *wire { return o.udp(t) }, func() *wire { return o.tcp(t) }, secure} {
		for _, m := range slices.Concat(valid, invalid) {
			w := connect()
			t.Run(w.transport+" "+m.name, func(t *testing.T) {
				if code := answerTo(t, w, m); !slices.Contains(m.codes, code) {
					t.Errorf("got %d, want one of %v", code, m.codes)
				}
				if err := o.store.UpdateBindings(t.Context(), p.Device.ID, nobody); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func nobody([]models.Binding) ([]models.Binding, error) { return nil, nil }

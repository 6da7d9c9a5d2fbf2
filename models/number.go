package models

import "strings"

// maxE164 is how many digits a number has at most (ITU-T E.164, section 6).
const maxE164 = 15

// E164 spells a telephone number as E.164 does, "+14155550100", when it can be
// told what it means: an international number, after "+", "00" or "011", or a
// North American one with its area code. Anything else stays as it is.
func E164(number string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t-.()/", r) {
			return -1
		}
		return r
	}, number)
	digits, international := strings.CutPrefix(plain, "+")
	for _, prefix := range []string{"011", "00"} {
		if !international {
			digits, international = strings.CutPrefix(digits, prefix)
		}
	}
	if !international && isNorthAmerican(strings.TrimPrefix(digits, "1")) {
		digits, international = "1"+strings.TrimPrefix(digits, "1"), true
	}
	if !international || digits == "" || digits[0] == '0' || len(digits) > maxE164 || !isDigits(digits) {
		return number
	}
	return "+" + digits
}

// isNorthAmerican reports whether digits are an area code, which like the
// exchange after it begins with 2 to 9, and seven more.
func isNorthAmerican(digits string) bool {
	return len(digits) == 10 && digits[0] >= '2' && digits[3] >= '2' && isDigits(digits)
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

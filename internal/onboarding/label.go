package onboarding

import "slices"

const (
	// MaxUndocumented are the undocumented statuses that are counted by name.
	MaxUndocumented = 8
	maxNameBytes    = 32
	// NumLabels is the number of statuses that are counted apart.
	NumLabels = NumStatuses + MaxUndocumented
)

// IsUndocumented reports whether name can be that of a status that this version
// does not know.
func IsUndocumented(name []byte) bool {
	if _, documented := ParseStatus(string(name)); documented || len(name) == 0 || len(name) > maxNameBytes || string(name) == names[StatusUnknown] {
		return false
	}
	for i, c := range name {
		if isLetter := c >= 'a' && c <= 'z'; !isLetter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// Label is the place of a status among those that are counted apart: its own, or
// that of an undocumented one's name. The first names that come keep their places
// from walk to walk; the rest is StatusUnknown.
func (w *Walk) Label(s Status, name string) int {
	if s != StatusUnknown || name == "" {
		return int(s)
	}
	i := slices.Index(w.names, name)
	switch {
	case i >= 0:
	case len(w.names) == MaxUndocumented:
		return int(StatusUnknown)
	default:
		i, w.names = len(w.names), append(w.names, name)
	}
	return NumStatuses + i
}

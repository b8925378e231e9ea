package onboarding

// customer is what is remembered of one customer, in 16 bytes and without
// pointers, so that the garbage collector has nothing to follow. Moments are
// Unix seconds; 0 stands for none.
type customer struct {
	entered uint32 // the stay in status began then; 0 is the end of the walk under way
	created uint32 // created_at, kept only while presentAtStart is set
	left    uint32 // absent: end of the last walk that saw it; gone: when that was found
	status  Status // the last known one
	flags   flags
	seen    uint8 // 1 + the status that the walk under way shows; 0 if not seen yet
}

type flags uint8

const (
	presentAtStart flags = 1 << iota // was there in this status when tracking began
	entryUncertain                   // the stay may have begun earlier than entered
	statusHidden                     // the last walk showed StatusUnknown
	absentOnce                       // absent from the last complete walk
	gone                             // absent from two: kept for a while only
	imported                         // first seen in this status, with an old account
	firstSeen                        // first seen by the walk under way

	// persistedFlags are the flags that the state file holds.
	persistedFlags = presentAtStart | entryUncertain | statusHidden | absentOnce | gone | imported
)

func (c *customer) has(f flags) bool { return c.flags&f != 0 }

// teaches reports whether it is known when the stay began, so that it teaches how long
// others wait.
func (c *customer) teaches() bool { return !c.has(entryUncertain | imported) }

// position is where the last walks left a customer, or where one shows it: a
// status, or one of the two places outside of the program.
type position uint8

const (
	positionGone position = NumStatuses + iota
	positionNew
	numPositions
)

func (p position) String() string {
	switch p {
	case positionGone:
		return "gone"
	case positionNew:
		return "new"
	}
	return Status(p).String()
}

func (c *customer) position() position {
	switch {
	case c.has(gone):
		return positionGone
	case c.has(statusHidden):
		return position(StatusUnknown)
	}
	return position(c.status)
}

// forgettable reports whether a customer has been gone for long enough.
func (c *customer) forgettable(now uint32) bool { return c.has(gone) && age(c.left, now) > keepGone }

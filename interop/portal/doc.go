// Package portal is what patients decide about their own record: whether it is shared for care (CON-1804). A choice is a Consent like any
// other, read and written through the guard as the patient who has signed in, under a grant of the patient's own pages alone.
package portal

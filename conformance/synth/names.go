package synth

// familyNames returns the family names of the region.
func familyNames() []string {
	return []string{"Abbott", "Begum", "Carter", "Davies", "Evans", "Fletcher", "Green", "Hughes", "Iqbal", "Jones", "Khan",
		"Lewis", "Morgan", "Nowak", "O'Brien", "Patel", "Quinn", "Roberts", "Smith", "Taylor", "Usman", "Vaughan", "Walker", "Young",
		"Adeyemi", "Ahmed", "Ali", "Anderson", "Bailey", "Baker", "Bell", "Bennett", "Brown", "Chen", "Clarke", "Cole", "Cooper",
		"Cox", "Dixon", "Edwards", "Fernández", "Fisher", "Foster", "Graham", "Gray", "Hall", "Harris", "Hill", "Holmes", "Hussain", "Jackson", "James",
		"Kaur", "Kelly", "King", "Knight", "Kowalski", "Lee", "MacDonald", "Mahmood", "Mason", "Mensah", "Mills", "Moore", "Murphy", "Nguyen", "Okafor",
		"Osborne", "Palmer", "Parker", "Pearce", "Phillips", "Reid", "Rogers", "Russell", "Scott", "Shah", "Sharma", "Shaw", "Singh", "Stewart", "Thomas",
		"Turner", "Ward", "Watson", "White", "Wilson", "Wójcik", "Wright"}
}

func womensNames() []string {
	return []string{"Aisha", "Alice", "Amelia", "Barbara", "Carol", "Charlotte", "Chloë", "Deborah", "Doreen", "Edith", "Ella", "Emily", "Farah", "Fatima", "Grace",
		"Hannah", "Isla", "Jade", "Janet", "Joan", "Julie", "Karen", "Laura", "Lily", "Linda", "Margaret", "Mary", "Mei", "Nia", "Olivia", "Pamela", "Patricia", "Priya",
		"Rebecca", "Ruth", "Sarah", "Siân", "Sofia", "Susan", "Valerie", "Zainab", "Zoë"}
}

func mensNames() []string {
	return []string{"Adam", "Alan", "Alfie", "Andrew", "Arthur", "Ben", "Brian", "Charlie", "Daniel", "David", "Derek", "Dylan", "Edward", "Ethan", "George", "Harry",
		"Ibrahim", "Ivan", "Jack", "James", "John", "Kevin", "Kofi", "Leo", "Mark", "Michael", "Mohammed", "Noah", "Oliver", "Omar", "Paul", "Peter", "Ravi", "Rhys",
		"Richard", "Robert", "Roger", "Samuel", "Stephen", "Thomas", "Wei", "William"}
}

func streets() []string {
	return []string{"Abbey Road", "Bridge Street", "Chapel Lane", "Church Street", "Dene Close", "Ferry Road", "Garden Terrace", "Green Lane", "High Street", "Mill Lane",
		"Orchard Way", "Park Avenue", "Quarry Hill", "River View", "School Lane", "Station Road", "The Crescent", "Victoria Road", "Weir Walk", "York Place"}
}

func towns() []string {
	return []string{"Tamarside", "Brannock", "Hollybank", "Little Weir", "Northdene", "Quay St Mary", "Upper Tamar", "Westford"}
}

// Package pages renders the HTML pages of the product: sign-in, choices, the consent of a person to an app, apps with
// access, errors and the page of the demonstration. A page is a value of a closed set of types; a Renderer turns it into
// HTML in the language of the reader, with the headers that every page has (SMART-166), and checks the posts of its forms
// (SMART-163). The pages need no script and load nothing from other hosts; their texts are in one catalogue a language,
// below texts, and their style is nhsuk-frontend without its web font.
package pages

//! The local API's types, a typed client of it, and the ticket's text form.

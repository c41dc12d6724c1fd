//! `#[derive(FromRow)]` for `rustydb-mysql`: a struct read from a row, its fields by their columns' names.
//!
//! ```ignore
//! #[derive(FromRow)]
//! struct Film<'r> {
//!     film_id: u16,
//!     title: &'r str,                    // borrowed from the row
//!     #[mysql(rename = "rental_rate")]
//!     rate: Decimal,
//!     #[mysql(default)]
//!     rating: Option<String>,            // Default::default() where the result has no such column
//!     #[mysql(skip)]
//!     seen: bool,                        // always Default::default()
//!     #[mysql(flatten)]
//!     language: Language,                // another FromRow, from the same row
//! }
//! ```
//!
//! A column is looked for at the place of its field first, so a struct in the order of its SELECT costs one
//! comparison a field. Fields of a tuple struct are read by position. Enums and unions are refused.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{
    Data, DeriveInput, Error, Field, Fields, GenericParam, Lifetime, LitStr, Result, parse_macro_input,
};

/// Derives `FromRow`; see the crate's description.
#[proc_macro_derive(FromRow, attributes(mysql))]
pub fn derive_from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    from_row(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// What `#[mysql(...)]` says of a field.
#[derive(Default)]
struct Asked {
    rename: Option<String>,
    default: bool,
    skip: bool,
    flatten: bool,
}

impl Asked {
    fn of(field: &Field) -> Result<Asked> {
        let mut asked = Asked::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("mysql")) {
            attribute.parse_nested_meta(|meta| {
                let path = &meta.path;
                match () {
                    () if path.is_ident("rename") => {
                        asked.rename = Some(meta.value()?.parse::<LitStr>()?.value());
                    }
                    () if path.is_ident("default") => asked.default = true,
                    () if path.is_ident("skip") => asked.skip = true,
                    () if path.is_ident("flatten") => asked.flatten = true,
                    () => return Err(meta.error("one of rename, default, skip and flatten")),
                }
                Ok(())
            })?;
        }
        let ways = [asked.skip, asked.flatten, asked.default || asked.rename.is_some()];
        if ways.into_iter().filter(|&way| way).count() > 1 {
            return Err(Error::new_spanned(field, "skip and flatten stand alone"));
        }
        Ok(asked)
    }
}

fn from_row(input: &DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "FromRow is derived for structs"));
    };
    let lifetimes: Vec<_> = input.generics.lifetimes().collect();
    if lifetimes.len() > 1 {
        return Err(Error::new_spanned(&input.generics, "a row has one lifetime"));
    }
    // A struct that borrows does so from the row.
    let row = match lifetimes.first() {
        Some(parameter) => parameter.lifetime.clone(),
        None => Lifetime::new("'__row", proc_macro2::Span::call_site()),
    };
    let mut generics = input.generics.clone();
    if lifetimes.is_empty() {
        generics.params.insert(0, GenericParam::Lifetime(syn::LifetimeParam::new(row.clone())));
    }
    let (implemented, _, _) = generics.split_for_impl();
    let (_, of, conditions) = input.generics.split_for_impl();
    let name = &input.ident;

    let mut values = Vec::new();
    let mut position = 0usize;
    for (index, field) in data.fields.iter().enumerate() {
        let asked = Asked::of(field)?;
        let value = if asked.skip {
            quote!(::core::default::Default::default())
        } else if asked.flatten {
            quote!(::rustydb_mysql::FromRow::from_row(row)?)
        } else {
            let value = match &field.ident {
                None => quote!(row.get(#position)?),
                Some(ident) => {
                    let column = asked.rename.unwrap_or_else(|| plain(&ident.to_string()));
                    let read = quote!(row.get_near(#position, #column)?);
                    match asked.default {
                        false => read,
                        true => quote!(match row.columns().position(#column) {
                            ::core::option::Option::Some(at) => row.get(at)?,
                            ::core::option::Option::None => ::core::default::Default::default(),
                        }),
                    }
                }
            };
            position += 1;
            value
        };
        values.push(match &field.ident {
            Some(ident) => quote!(#ident: #value),
            None => {
                let index = syn::Index::from(index);
                quote!(#index: #value)
            }
        });
    }
    let unit = matches!(data.fields, Fields::Unit).then(|| quote!(let _ = row;));
    Ok(quote! {
        #[automatically_derived]
        impl #implemented ::rustydb_mysql::FromRow<#row> for #name #of #conditions {
            #[inline]
            fn from_row(row: ::rustydb_mysql::RowRef<#row>) -> ::rustydb_mysql::Result<Self> {
                #unit
                ::core::result::Result::Ok(Self { #(#values),* })
            }
        }
    })
}

/// `r#type` is the column `type`.
fn plain(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.AuthenticationException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.Patient;

/** Reads with HAPI's client and its BearerTokenAuthInterceptor. Arguments: FHIR base, token, id of a Patient. */
public class Hapi {
  public static void main(String[] args) {
    FhirContext context = FhirContext.forR4();
    IGenericClient client = context.newRestfulGenericClient(args[0]);
    client.registerInterceptor(new BearerTokenAuthInterceptor(args[1]));
    System.out.println("patient " + client.read().resource(Patient.class).withId(args[2]).execute().getNameFirstRep().getFamily());

    Bundle page = client.search().forResource(Observation.class).where(Observation.PATIENT.hasId(args[2])).count(50).returnBundle(Bundle.class).execute();
    int found = page.getEntry().size();
    while (page.getLink(Bundle.LINK_NEXT) != null) {
      page = client.loadPage().next(page).execute();
      found += page.getEntry().size();
    }
    System.out.println("observations " + found);

    try {
      client.read().resource(Patient.class).withId("nobody").execute();
    } catch (ResourceNotFoundException e) {
      System.out.println("missing " + e.getStatusCode());
    }
    IGenericClient stranger = context.newRestfulGenericClient(args[0]);
    stranger.registerInterceptor(new BearerTokenAuthInterceptor("x"));
    try {
      stranger.read().resource(Patient.class).withId(args[2]).execute();
    } catch (AuthenticationException e) {
      System.out.println("stranger " + e.getStatusCode());
    }
  }
}
